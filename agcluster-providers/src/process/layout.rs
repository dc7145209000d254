//! Which files there are.
//!
//! ```text
//! <state_dir>/
//!   locks/<workspace>              one at a time changes a session
//!   records/<container>.json       what is known of a container; written first, removed last
//!   run/<digest>.sock              its socket, in a folder for this user alone
//!   containers/<container>/        output.log, exit, replay/, tmp/ (where the agent's home is made)
//!   workspaces/<workspace>.json    whose a workspace is; written first, removed last
//!   workspaces/<workspace>/        the workspace
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::config::AgentUser;

/// The folder for everything.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// Others may pass through, to what is theirs below, and see no names.
const PASS: u32 = 0o711;
const PRIVATE: u32 = 0o700;

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folders that are always there.
    pub(super) fn prepare(&self) -> io::Result<()> {
        make(&self.root, PASS)?;
        for (folder, mode) in [
            ("locks", PRIVATE),
            ("records", PRIVATE),
            ("run", PRIVATE),
            ("containers", PASS),
            ("workspaces", PASS),
        ] {
            make(&self.root.join(folder), mode)?;
        }
        Ok(())
    }

    pub(super) fn lock(&self, workspace: &str) -> PathBuf {
        self.root.join("locks").join(workspace)
    }

    pub(super) fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    pub(super) fn record(&self, container: &str) -> PathBuf {
        self.records().join(format!("{container}.json"))
    }

    /// A short name: the paths of sockets are.
    pub(super) fn socket(&self, container: &str) -> PathBuf {
        let digest = Sha256::digest(container.as_bytes());
        let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.root.join("run").join(format!("{name}.sock"))
    }

    pub(super) fn container(&self, container: &str) -> PathBuf {
        self.root.join("containers").join(container)
    }

    /// A container's folder while it is being removed.
    pub(super) fn removed(&self, container: &str) -> PathBuf {
        self.root.join("containers").join(format!("{container}.removed"))
    }

    pub(super) fn log(&self, container: &str) -> PathBuf {
        self.container(container).join("output.log")
    }

    pub(super) fn exit(&self, container: &str) -> PathBuf {
        self.container(container).join("exit")
    }

    pub(super) fn replay(&self, container: &str) -> PathBuf {
        self.container(container).join("replay")
    }

    pub(super) fn tmp(&self, container: &str) -> PathBuf {
        self.container(container).join("tmp")
    }

    pub(super) fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    pub(super) fn workspace(&self, workspace: &str) -> PathBuf {
        self.workspaces().join(workspace)
    }

    pub(super) fn workspace_labels(&self, workspace: &str) -> PathBuf {
        self.workspaces().join(format!("{workspace}.json"))
    }

    /// Makes a container's folders.
    pub(super) fn prepare_container(
        &self,
        container: &str,
        workspace: &str,
        user: Option<AgentUser>,
    ) -> io::Result<()> {
        make(&self.container(container), PASS)?;
        make(&self.replay(container), PRIVATE)?;
        make(&self.tmp(container), PASS)?;
        let workspace = self.workspace(workspace);
        if make(&workspace, PRIVATE)?
            && let Some(user) = user
        {
            chown(&workspace, Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }

    /// The first folder on the way to the workspaces that a common user cannot pass, if there is one.
    pub(super) fn blocked_at(&self) -> Option<PathBuf> {
        let passable = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        };
        let folders: Vec<_> = self.root.ancestors().collect();
        folders.into_iter().rev().find(|folder| !passable(folder)).map(Path::to_owned)
    }
}

/// Makes a folder with this mode if it is not there. Whether it was made.
fn make(path: &Path, mode: u32) -> io::Result<bool> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            // Whatever the umask takes away.
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file; one that is gone is removed.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a folder with everything in it, also what its owner closed to himself; one that is gone is removed.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        done => done,
    }
}

/// Opens every folder to its owner. Links are not followed.
fn open_up(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(metadata.mode() | 0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_the_longest_folder_fits_the_kernel() {
        let layout = Layout::new(PathBuf::from(format!("/{}", "d".repeat(69))));
        assert!(layout.socket("agc-s-g1").as_os_str().len() < 108);
    }

    #[test]
    fn folders_are_closed_and_can_be_removed_whatever_is_in_them() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().join("state"));
        layout.prepare().unwrap();
        layout.prepare_container("agc-s-g1", "agc-s-ws", None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&layout.root().join("run")), 0o700);
        assert_eq!(mode(&layout.workspace("agc-s-ws")), 0o700);
        let closed = layout.workspace("agc-s-ws").join("closed/inner");
        fs::create_dir_all(&closed).unwrap();
        fs::set_permissions(closed.parent().unwrap(), fs::Permissions::from_mode(0o000)).unwrap();
        remove_folder(&layout.workspace("agc-s-ws")).unwrap();
        remove_folder(&layout.workspace("agc-s-ws")).unwrap();
        assert!(!layout.workspace("agc-s-ws").exists());
    }

    #[test]
    fn a_folder_that_stands_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let layout = Layout::new(root.path().join("state"));
        layout.prepare().unwrap();
        assert_eq!(layout.blocked_at().as_deref(), Some(root.path()));
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(layout.blocked_at(), None);
    }
}
