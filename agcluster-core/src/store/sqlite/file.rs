//! The file of a database, and the lock beside it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::{Result, StoreError};

/// Makes the file, and its folder, where they are not there yet, for this user alone. Gives the file's own path, whatever
/// links lead to it, and the lock, which the kernel takes back when this process ends in any way.
pub(super) fn prepare(path: &Path) -> Result<(PathBuf, File)> {
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
    open(path).map_err(|error| unusable("cannot be opened", &error))?;
    let path = path.canonicalize().map_err(|error| unusable("cannot be found", &error))?;
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    let lock = open(Path::new(&lock)).map_err(|error| unusable("cannot be locked", &error))?;
    match lock.try_lock() {
        Ok(()) => Ok((path, lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unusable("cannot be locked", &error)),
    }
}
