//! A repository that a client names by a folder in it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace as codes;

use super::super::folder::{self, Folder};
use super::program::{Git, Run};
use crate::http::Refusal;

/// A repository whose working tree and whose data lie beneath the workspace.
#[derive(Debug)]
pub(super) struct Repo {
    /// The top of the working tree.
    pub(super) folder: Folder,
    /// Programs of the repository's own choice that git would run on the files it compares.
    filters: Vec<OsString>,
}

impl Repo {
    /// The repository that a folder is in.
    pub(super) async fn open(git: &Git, workspace: &Path, path: &str) -> Result<Self, Refusal> {
        let named = Folder::open(workspace, path)?;
        let top = git.look(&named).args(["rev-parse", "--show-toplevel"]).output().await?;
        if !top.success {
            tracing::debug!(stderr = top.stderr, "no repository");
            return Err(none(path));
        }
        let top = named.below_root(&as_path(top.stdout)).ok_or_else(|| outside(path))?;
        let root = Folder::root(workspace).map_err(|error| folder::refusal(&error, path))?;
        let folder = if top.as_os_str().is_empty() {
            root
        } else {
            root.below(&top).map_err(|error| folder::refusal(&error, path))?
        };
        // The data of a working tree is where a file in it says: that must not lead outside.
        for place in ["--absolute-git-dir", "--git-common-dir"] {
            let told = git.look(&folder).args(["rev-parse", "--path-format=absolute", place]).text().await?;
            let real = std::fs::canonicalize(as_path(told)).map_err(|error| folder::refusal(&error, path))?;
            if folder.below_root(&real).is_none() {
                return Err(outside(path));
            }
        }
        let filters = filters(git, &folder).await?;
        Ok(Self { folder, filters })
    }

    /// A command that looks at it and changes nothing. It runs nothing that the repository's own configuration names.
    pub(super) fn look<'a>(&self, git: &'a Git) -> Run<'a> {
        let overrides = self.filters.iter().flat_map(|name| {
            [("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")]
                .map(|(key, value)| (joined(name, key), value))
        });
        git.look(&self.folder).config(overrides)
    }

    /// A command that may change it.
    pub(super) fn act<'a>(&self, git: &'a Git) -> Run<'a> {
        git.act(&self.folder)
    }
}

/// The filters that the repository's own configuration defines, not the image's.
async fn filters(git: &Git, folder: &Folder) -> Result<Vec<OsString>, Refusal> {
    let listed = ["config", "-z", "--show-scope", "--name-only", "--get-regexp", "^filter\\."];
    let output = git.look(folder).args(listed).output().await?;
    if output.cut {
        return Err(output.refusal());
    }
    let mut fields = output.stdout.split(|byte| *byte == 0);
    let mut names: Vec<OsString> = Vec::new();
    while let (Some(scope), Some(key)) = (fields.next(), fields.next()) {
        let Some(rest) = key.strip_prefix(b"filter.") else { continue };
        let Some(end) = rest.iter().rposition(|byte| *byte == b'.') else { continue };
        let name = OsString::from_vec(rest[..end].to_vec());
        if matches!(scope, b"local" | b"worktree") && names.last() != Some(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn joined(name: &OsStr, key: &str) -> OsString {
    let mut joined = OsString::from("filter.");
    joined.push(name);
    joined.push(".");
    joined.push(key);
    joined
}

fn as_path(mut line: Vec<u8>) -> PathBuf {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    PathBuf::from(OsString::from_vec(line))
}

fn none(path: &str) -> Refusal {
    Refusal::new(
        codes::GIT_NOT_A_REPOSITORY,
        format!("{path:?} is in no git repository: name one of those that /git/repositories lists"),
    )
}

fn outside(path: &str) -> Refusal {
    Refusal::new(
        codes::INVALID_PATH,
        format!("the repository of {path:?} keeps its files or its data outside of the workspace"),
    )
}
