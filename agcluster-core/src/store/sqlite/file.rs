//! The file of a database, and the lock beside it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::{Result, StoreError};

/// A database that no other server has.
pub(super) struct Files {
    /// Its own path, whatever links lead to it.
    pub(super) path: PathBuf,
    /// Itself. It is not to be closed as long as SQLite has it open.
    pub(super) database: File,
    /// What keeps others out. The kernel takes it back when this process ends in any way.
    pub(super) lock: File,
}

/// Makes the file, and its folder, where they are not there yet, for this user alone.
pub(super) fn prepare(path: &Path) -> Result<Files> {
    let unusable = |what: &str, error: &std::io::Error| {
        StoreError::Open(format!(
            "{} {what} ({}): set DATABASE_URL to a file that can be written",
            path.display(),
            error.kind()
        ))
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(unusable("is in a folder that is not there and cannot be made", &error));
            }
            _ => {}
        }
    }
    let open = |path: &Path| OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    // One that is there is opened only by who has the lock: this process may have it open already.
    match OpenOptions::new().append(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(unusable("cannot be opened", &error));
        }
        _ => {}
    }
    let path = path.canonicalize().map_err(|error| unusable("cannot be found", &error))?;
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    let lock = open(Path::new(&lock)).map_err(|error| unusable("cannot be locked", &error))?;
    match lock.try_lock() {
        Ok(()) => {
            let database = open(&path).map_err(|error| unusable("cannot be opened", &error))?;
            Ok(Files { path, database, lock })
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unusable("cannot be locked", &error)),
    }
}
