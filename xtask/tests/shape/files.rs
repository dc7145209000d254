//! The files of this workspace that are or will be tracked.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::packages::root;

/// A file's path from the root and its content; what is not text counts as empty.
pub(crate) struct File {
    /// Path from the root of the workspace.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// All files but ignored ones.
pub(crate) fn of_this_workspace() -> Vec<File> {
    let mut git = Command::new("git");
    // Ownership of the checkout says nothing about its content.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = git.current_dir(root()).output().map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    paths
        .filter(|path| root().join(path).is_file())
        .map(|path| File { path: path.to_owned(), text: read(root().join(path)) })
        .collect()
}

fn read(path: PathBuf) -> String {
    String::from_utf8(fs::read(path).unwrap_or_default()).unwrap_or_default()
}
