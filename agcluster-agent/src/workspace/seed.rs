//! Files that a configuration puts into the workspace before the agent starts.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{ALREADY_EXISTS, NO_SPACE};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use cap_std::fs::OpenOptions;

use super::WorkspaceConfig;
use super::folder::{self, Folder};
use crate::http::{JsonBody, Refusal};

/// Where they are sent, beneath the workspace's routes.
pub(crate) const SEED: &str = "/seed";
/// More than any configuration has.
const MOST_BYTES: usize = 4 << 20;

pub(super) fn routes(config: &WorkspaceConfig) -> Router {
    Router::new().route(SEED, post(seed)).with_state(Arc::new(config.root.clone()))
}

async fn seed(
    State(workspace): State<Arc<PathBuf>>,
    JsonBody(files): JsonBody<BTreeMap<String, String>, MOST_BYTES>,
) -> Result<StatusCode, Refusal> {
    let writing = tokio::task::spawn_blocking(move || {
        let root = Folder::root(&workspace).map_err(|error| folder::refusal(&error, "/workspace"))?;
        files.iter().try_for_each(|(path, content)| write(&root, path, content))
    });
    writing.await.unwrap_or_else(|_| Err(Refusal::new(codes::INTERNAL, "the files were not written")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes a file with the folders that lead to it. What is there already is left as it is.
fn write(root: &Folder, path: &str, content: &str) -> Result<(), Refusal> {
    let relative = folder::relative(path)?;
    if let Some(parent) = relative.parent().filter(|parent| *parent != Path::new("")) {
        root.directory.create_dir_all(parent).map_err(|error| refusal(&error, path))?;
    }
    let mut options = OpenOptions::new();
    match root.directory.open_with(&relative, options.write(true).create_new(true)) {
        Ok(mut file) => file.write_all(content.as_bytes()).map_err(|error| refusal(&error, path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refusal(&error, path)),
    }
}

fn refusal(error: &io::Error, path: &str) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Refusal::new(NO_SPACE, format!("there is no room for the configuration's file {path:?}"))
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Refusal::new(
            ALREADY_EXISTS,
            format!("the configuration's file {path:?} would lie in what is no folder"),
        ),
        _ => folder::refusal(error, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(workspace: &Path, path: &str, content: &str) -> bool {
        write(&Folder::root(workspace).unwrap(), path, content).is_ok()
    }

    #[test]
    fn files_are_written_once_with_their_folders() {
        let workspace = tempfile::tempdir().unwrap();
        let read = |path: &str| std::fs::read_to_string(workspace.path().join(path)).unwrap();
        assert!(written(workspace.path(), "a/b/c.txt", "one"));
        assert_eq!(read("a/b/c.txt"), "one");
        std::fs::write(workspace.path().join("a/b/c.txt"), "changed").unwrap();
        assert!(written(workspace.path(), "a/b/c.txt", "one"));
        assert_eq!(read("a/b/c.txt"), "changed", "what is there stays");
        assert!(!written(workspace.path(), "a/b/c.txt/d", "x"));
    }

    #[test]
    fn nothing_is_written_outside() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), workspace.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("new"), workspace.path().join("file")).unwrap();
        for path in ["link/x", "../x", "/etc/x", "a/../../x"] {
            assert!(!written(workspace.path(), path, "x"), "{path}");
        }
        // A link is there already, wherever it leads.
        assert!(written(workspace.path(), "file", "x"));
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
