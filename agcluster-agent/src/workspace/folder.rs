//! A folder beneath the workspace, held open: whatever becomes of its name, what is done in it is done there.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace as codes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::path;
use crate::http::Refusal;

/// What the agent calls the workspace, and every client.
const WORKSPACE: &str = "/workspace";

/// A folder that lies beneath the workspace, or is the workspace.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) directory: Dir,
    /// Where it really lies, below the workspace; empty for the workspace itself.
    pub(super) relative: PathBuf,
    /// Where the workspace really lies.
    pub(super) root: PathBuf,
}

impl Folder {
    /// Opens the workspace.
    pub(super) fn root(workspace: &Path) -> io::Result<Self> {
        let directory = Dir::open_ambient_dir(workspace, ambient_authority())?;
        let root = real_path(&directory)?;
        Ok(Self { directory, relative: PathBuf::new(), root })
    }

    /// Opens what a client calls `path`: `.`, `a/b`, `/workspace/a/b`. Links are followed as long as they stay beneath.
    pub(super) fn open(workspace: &Path, path: &str) -> Result<Self, Refusal> {
        let wanted = relative(path)?;
        let root = Self::root(workspace).map_err(|error| refusal(&error, WORKSPACE))?;
        if wanted.as_os_str().is_empty() {
            return Ok(root);
        }
        root.below(&wanted).map_err(|error| refusal(&error, path))
    }

    /// Opens a folder below this one.
    pub(super) fn below(&self, path: &Path) -> io::Result<Self> {
        let directory = self.directory.open_dir(path)?;
        let relative = real_path(&directory)?
            .strip_prefix(&self.root)
            .map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?
            .to_owned();
        Ok(Self { directory, relative, root: self.root.clone() })
    }

    /// A path below the workspace's real place, as one below the workspace; none when it lies elsewhere.
    pub(super) fn below_root(&self, absolute: &Path) -> Option<PathBuf> {
        absolute.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// A path that leads here for as long as this is held, for this process and for one it starts.
    pub(super) fn handle(&self) -> PathBuf {
        handle(self.directory.as_raw_fd())
    }

    /// Its path for a client.
    pub(super) fn shown(&self) -> String {
        shown(&self.relative)
    }

    /// Its path below the workspace for a client.
    pub(super) fn shown_relative(&self) -> String {
        shown_relative(&self.relative)
    }
}

/// A path below the workspace, as the agent sees it.
pub(super) fn shown(relative: &Path) -> String {
    if relative.as_os_str().is_empty() {
        return WORKSPACE.to_owned();
    }
    format!("{WORKSPACE}/{}", relative.to_string_lossy())
}

/// The same as it is for clients that think in paths below the workspace.
pub(super) fn shown_relative(relative: &Path) -> String {
    if relative.as_os_str().is_empty() { ".".to_owned() } else { relative.to_string_lossy().into_owned() }
}

/// What a client calls a path, as one below the workspace. It may not lead up.
pub(super) fn relative(path: &str) -> Result<PathBuf, Refusal> {
    let below = match path.strip_prefix(WORKSPACE) {
        Some("") => "",
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    let outside = || {
        Refusal::new(
            codes::INVALID_PATH,
            format!("name a folder below {WORKSPACE}, without \"..\", as in \"my-project\""),
        )
    };
    // Any other path from the root is one of the machine's.
    if below.starts_with('/') {
        return Err(outside());
    }
    path::clean(below.as_bytes()).map_err(|_| outside())
}

fn handle(descriptor: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{descriptor}"))
}

fn real_path(directory: &Dir) -> io::Result<PathBuf> {
    std::fs::read_link(handle(directory.as_raw_fd()))
}

/// Why a folder cannot be opened.
pub(super) fn refusal(error: &io::Error, path: &str) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Refusal::new(codes::NOT_FOUND, format!("there is no folder {path:?}: check the path"))
        }
        io::ErrorKind::NotADirectory => {
            Refusal::new(codes::WRONG_TYPE, format!("{path:?} is no folder: name the folder it is in"))
        }
        // Without a number of the system's: a link led outside.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            Refusal::new(codes::INVALID_PATH, format!("{path:?} leads out of the workspace"))
        }
        io::ErrorKind::PermissionDenied => {
            Refusal::new(codes::FORBIDDEN, format!("the agent's user may not open {path:?}"))
        }
        io::ErrorKind::InvalidFilename => {
            Refusal::new(codes::INVALID_PATH, "the path is too long: shorten it")
        }
        _ => Refusal::new(codes::INVALID_PATH, format!("{path:?} cannot be opened: check the path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_workspace_and_stays_below() {
        for (given, meant) in [
            (".", ""),
            ("", ""),
            ("a/./b/", "a/b"),
            ("/workspace", ""),
            ("/workspace//a", "a"),
            ("workspace", "workspace"),
        ] {
            assert_eq!(relative(given).unwrap(), Path::new(meant), "{given}");
        }
        for bad in ["..", "a/../b", "/etc", "/workspace/..", "/workspaces", "a\0b"] {
            assert!(relative(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_is_followed_inside_and_refused_outside() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(workspace.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", workspace.path().join("inside")).unwrap();
        std::os::unix::fs::symlink(outside.path(), workspace.path().join("outside")).unwrap();
        let opened = Folder::open(workspace.path(), "inside").unwrap();
        assert_eq!((opened.relative.as_path(), opened.shown().as_str()), (Path::new("a"), "/workspace/a"));
        let refused = Folder::open(workspace.path(), "outside").unwrap_err();
        assert!(format!("{refused:?}").contains(codes::INVALID_PATH), "{refused:?}");
    }
}
