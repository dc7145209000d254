//! Finding the repositories beneath the workspace.
//!
//! Everything is read here, nothing is run: a folder is a repository when it has a `.git` that says so.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_protocol::workspace::git::{Repositories, Repository};
use agcluster_protocol::{codes, workspace};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::super::folder::{Folder, shown, shown_relative};
use crate::http::Refusal;

/// The most repositories that are listed.
const MOST: usize = 200;
/// The most folders that are looked into.
const FOLDERS: usize = 20_000;
/// The most entries that are looked at altogether.
const ENTRIES: usize = 500_000;
/// How deep is looked.
const DEPTH: usize = 12;
/// The longest file of git's own that is read here.
const SMALL: u64 = 4096;

/// All repositories beneath the workspace. Links are not followed.
pub(super) async fn repositories(workspace: Arc<PathBuf>) -> Result<Repositories, Refusal> {
    let found = tokio::task::spawn_blocking(move || {
        let root = Folder::root(&workspace).map_err(|_| {
            Refusal::new(workspace::NOT_FOUND, "there is no workspace folder in the container")
        })?;
        Ok(walk(&root))
    });
    found
        .await
        .unwrap_or_else(|_| Err(Refusal::new(codes::INTERNAL, "the search for repositories broke off")))
}

fn walk(root: &Folder) -> Repositories {
    let mut found = Vec::new();
    let (mut folders, mut entries) = (0, 0);
    let mut truncated = false;
    let mut waiting = VecDeque::from([(PathBuf::new(), 0)]);
    while let Some((path, depth)) = waiting.pop_front() {
        folders += 1;
        if found.len() == MOST || folders > FOLDERS || entries > ENTRIES {
            truncated = true;
            break;
        }
        // What is gone or closed meanwhile has none.
        let Some(directory) = open(&root.directory, &path) else { continue };
        found.extend(repository(root, &directory, &path));
        let Ok(listed) = directory.entries() else { continue };
        for entry in listed.flatten() {
            entries += 1;
            if entries > ENTRIES {
                break;
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && entry.file_name() != ".git" {
                if depth == DEPTH {
                    truncated = true;
                } else {
                    waiting.push_back((path.join(entry.file_name()), depth + 1));
                }
            }
        }
    }
    found.sort_by(|a: &Repository, b| a.path.cmp(&b.path));
    Repositories { count: found.len(), repositories: found, truncated }
}

fn open(root: &Dir, path: &Path) -> Option<Dir> {
    if path.as_os_str().is_empty() {
        return root.try_clone().ok();
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    Some(Dir::from_std_file(root.open_with(path, &options).ok()?.into_std()))
}

/// What a folder's `.git` says, if there is one.
fn repository(root: &Folder, folder: &Dir, path: &Path) -> Option<Repository> {
    let kind = folder.symlink_metadata(".git").ok()?.file_type();
    let own = path.join(".git");
    let data = if kind.is_dir() {
        own
    } else if kind.is_file() {
        let told = small(folder, Path::new(".git"))?;
        let told = told.strip_prefix(b"gitdir:")?.trim_ascii();
        below(root, path, Path::new(std::ffi::OsStr::from_bytes(told)))?
    } else {
        return None;
    };
    let head = small(&root.directory, &data.join("HEAD"))?;
    let common = small(&root.directory, &data.join("commondir"))
        .and_then(|told| below(root, &data, Path::new(std::ffi::OsStr::from_bytes(told.trim_ascii()))));
    let is_worktree = common.is_some();
    let main = common
        .and_then(|common| (common.file_name()? == ".git").then(|| common.parent().map(Path::to_owned))?);
    let name =
        path.file_name().map_or_else(|| "workspace".to_owned(), |name| name.to_string_lossy().into_owned());
    Some(Repository {
        name,
        path: shown(path),
        relative_path: shown_relative(path),
        is_worktree,
        is_submodule: !is_worktree && kind.is_file(),
        root: shown(main.as_deref().unwrap_or(path)),
        branch: branch(&head),
    })
}

/// A path that a file in `from` names, as one below the workspace.
fn below(root: &Folder, from: &Path, named: &Path) -> Option<PathBuf> {
    let joined = root.root.join(from).join(named);
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    root.below_root(&clean)
}

/// The beginning of a file; a link is followed no further than the workspace reaches.
fn small(directory: &Dir, path: &Path) -> Option<Vec<u8>> {
    let file = directory.open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(SMALL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn branch(head: &[u8]) -> Option<String> {
    let name = head.strip_prefix(b"ref: refs/heads/")?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}
