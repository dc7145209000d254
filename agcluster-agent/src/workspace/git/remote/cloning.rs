//! Cloning: beside its place first, and then there whole, so that a folder is either a clone or none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{CloneRequest, Cloned, RemoteQuery, RepositoryUrl};
use cap_std::fs::Dir;
use tokio::runtime::Handle;

use super::super::super::folder::{Folder, refusal, relative, shown};
use super::super::program::Git;
use super::super::reference;
use super::super::repository::Repo;
use super::{Way, remote};
use crate::http::Refusal;

/// What a clone that is not finished is called.
const UNFINISHED: &str = ".agcluster-clone-";
/// How often it is tried to remove such a one, and how long is waited in between.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// The longest name of a branch or tag.
const BRANCH: usize = 1024;

/// Clones a repository into a folder that does not exist, or is empty.
pub(in super::super) async fn clone(
    git: &Git,
    workspace: &Path,
    request: CloneRequest,
) -> Result<Cloned, Refusal> {
    // Which schemes will do was decided where the way begins.
    let url = RepositoryUrl::parse(&request.url, true)
        .map_err(|invalid| Refusal::new(codes::GIT_URL_INVALID, invalid.to_string()))?;
    let way = Way::of(Some(url.as_str()), request.through.as_deref())?;
    let path = relative(request.path.as_deref().unwrap_or(url.name()))?;
    if path.as_os_str().is_empty() || path.iter().any(|part| part == ".git") {
        return Err(Refusal::new(
            codes::INVALID_PATH,
            "a repository is cloned into a folder of its own: name one that does not exist yet",
        ));
    }
    let root = Folder::root(workspace).map_err(|error| refusal(&error, "."))?;
    if !is_free(&root.directory, &path).map_err(|error| refusal(&error, &shown(&path)))? {
        return there_already(git, workspace, &request, &path).await;
    }
    if request.adopt {
        sweep(&root.directory);
    }
    let staging = Staging::make(&root)?;
    let run =
        way.along(git.act(&root)).args(arguments(&request)?).arg("--").arg(url.as_str()).arg(&staging.name);
    let output = run.output().await?;
    if !output.success {
        if let Some(branch) = &request.branch
            && output.stderr.contains("Remote branch")
            && output.stderr.contains("not found")
        {
            let detail = format!("the repository has no branch or tag {branch:?}: check its name");
            return Err(Refusal::new(codes::GIT_REF_NOT_FOUND, detail));
        }
        return Err(way.refusal(&output));
    }
    staging.put(&path).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => exists(&path),
        _ => refusal(&error, &shown(&path)),
    })?;
    found(git, workspace, &path).await
}

fn arguments(request: &CloneRequest) -> Result<Vec<String>, Refusal> {
    let mut arguments: Vec<String> =
        ["clone", "--quiet", "--template=", "--no-recurse-submodules", "--origin=origin"]
            .map(str::to_owned)
            .into();
    if let Some(branch) = &request.branch {
        if branch.is_empty() || branch.len() > BRANCH || branch.contains(['\0', '\n']) {
            return Err(Refusal::new(codes::GIT_REF_INVALID, "branch is not the name of a branch or tag"));
        }
        arguments.push(format!("--branch={branch}"));
    }
    match request.depth {
        Some(0) => {
            return Err(Refusal::new(codes::INVALID_REQUEST, "depth is a number of commits, 1 or more"));
        }
        Some(depth) => arguments.push(format!("--depth={depth}")),
        None => {}
    }
    Ok(arguments)
}

/// Whether something can be put there: there is nothing, or an empty folder.
fn is_free(root: &Dir, path: &Path) -> io::Result<bool> {
    match root.symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(root.read_dir(path)?.next().is_none()),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// A clone of the same URL will do where that is asked for: an earlier request has come as far.
async fn there_already(
    git: &Git,
    workspace: &Path,
    request: &CloneRequest,
    path: &Path,
) -> Result<Cloned, Refusal> {
    if request.adopt
        && let Ok(repo) = Repo::open(git, workspace, &path.to_string_lossy()).await
        && repo.folder.relative == path
    {
        let query = RemoteQuery { path: String::new(), remote: "origin".to_owned(), push: false };
        if remote(git, &repo, &query).await.is_ok_and(|remote| remote.url == request.url) {
            return found(git, workspace, path).await;
        }
    }
    Err(exists(path))
}

async fn found(git: &Git, workspace: &Path, path: &Path) -> Result<Cloned, Refusal> {
    let repo = Repo::open(git, workspace, &path.to_string_lossy()).await?;
    Ok(Cloned {
        repo_path: repo.folder.shown(),
        relative_path: repo.folder.shown_relative(),
        branch: reference::branch(git, &repo).await?,
        commit: reference::present(git, &repo).await?,
    })
}

fn exists(path: &Path) -> Refusal {
    let detail = format!("{} has something in it: name a folder that does not exist yet", shown(path));
    Refusal::new(codes::ALREADY_EXISTS, detail)
}

/// Removes what clones have left that were cut off. Only when nothing else can be cloning.
fn sweep(root: &Dir) {
    let Ok(entries) = root.entries() else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // What stays is in nobody's way.
            let _ = root.remove_dir_all(entry.file_name());
        }
    }
}

/// A folder that becomes the clone, or goes.
struct Staging {
    root: Dir,
    name: PathBuf,
    placed: bool,
}

impl Staging {
    fn make(root: &Folder) -> Result<Self, Refusal> {
        let name = PathBuf::from(format!("{UNFINISHED}{}", uuid::Uuid::new_v4().simple()));
        let directory = root.directory.try_clone().map_err(|error| refusal(&error, "."))?;
        Ok(Self { root: directory, name, placed: false })
    }

    fn put(mut self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.root.create_dir_all(parent)?;
        }
        self.root.rename(&self.name, &self.root, path)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.placed {
            return;
        }
        let (Ok(root), Ok(runtime)) = (self.root.try_clone(), Handle::try_current()) else { return };
        runtime.spawn(remove(Arc::new(root), std::mem::take(&mut self.name)));
    }
}

/// Removes a folder in which a git that was killed may still be on its way out.
async fn remove(root: Arc<Dir>, name: PathBuf) {
    for _ in 0..TRIES {
        let (root, name) = (root.clone(), name.clone());
        match tokio::task::spawn_blocking(move || root.remove_dir_all(&name)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                tokio::time::sleep(PAUSE).await
            }
            _ => return,
        }
    }
}
