//! Files that are not whole yet: beside their place, and there in one step when they are. They are in no list and in no archive.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

use agcluster_protocol::workspace::WRONG_TYPE;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::access::{Access, Place};
use super::alter::rename_in;
use super::refuse::{exists, refusal, said};
use super::walk::{What, walk};
use crate::http::Refusal;

/// What stands around the two ids in a name: that of the run of this program, and the file's own.
const BEFORE: &str = ".agcluster-";
const BEHIND: &str = ".part";

/// Whether this is the name of a file that is not whole yet.
pub(super) fn is_unfinished(name: &OsStr) -> bool {
    run_of(name).is_some()
}

/// The run of this program that began a file of this name, if one did.
fn run_of(name: &OsStr) -> Option<Uuid> {
    let ids = name.to_str()?.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?;
    let (run, own) = ids.split_once('_')?;
    let id = |text: &str| Uuid::try_parse(text).ok().filter(|id| id.simple().to_string() == text);
    id(own).and(id(run))
}

/// Removes what earlier runs began and were ended before it was whole. What this one begins stays.
pub(super) fn clear(access: &Access, closing: &CancellationToken) {
    let Ok(root) = access.root() else { return };
    let mut removed = 0;
    let cleared = walk(&root, &mut |item| {
        if closing.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let is_left = |run| run != access.run();
        if matches!(item.what, What::File) && run_of(item.name.as_os_str()).is_some_and(is_left) {
            removed += u32::from(item.folder.remove_file(item.name).is_ok());
        }
        Ok(())
    });
    if removed > 0 {
        tracing::info!(removed, "files that an earlier run did not finish are removed");
    }
    if let Err(error) = cleared {
        tracing::debug!(%error, "not all of the workspace was looked through for unfinished files");
    }
}

/// A file that is not whole yet; without [`finish`](Self::finish) it is gone.
pub(super) struct Unfinished {
    place: Place,
    /// Where it will be, for sentences.
    pub(super) path: PathBuf,
    temporary: Option<OsString>,
    /// Whether something is there already.
    replaces: bool,
}

impl Unfinished {
    pub(super) fn begin(
        access: &Access,
        path: PathBuf,
        overwrite: bool,
        parents: bool,
    ) -> Result<(Self, std::fs::File), Refusal> {
        let place = access.place(&path, parents)?;
        let mode = match place.folder.symlink_metadata(&place.name) {
            Ok(_) if !overwrite => return Err(exists(&path)),
            Ok(found) if found.is_file() => Some(found.mode()),
            Ok(found) => {
                let what = match found.is_symlink() {
                    true => "is a link: write to where it leads, or delete it first",
                    false => "is no regular file: choose another name, or delete it first",
                };
                return Err(Refusal::new(WRONG_TYPE, format!("{} {what}", said(&path))));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refusal(&error, &path)),
        };
        let failed = |error: io::Error| refusal(&error, &path);
        let (temporary, file) = make(&place.folder, access.run()).map_err(failed)?;
        let unfinished =
            Self { place, path: path.clone(), temporary: Some(temporary), replaces: mode.is_some() };
        if let Some(mode) = mode {
            file.set_permissions(Permissions::from_mode(mode & 0o777)).map_err(failed)?;
        }
        Ok((unfinished, file.into_std()))
    }

    /// Puts it into its place. Whether nothing was there.
    pub(super) fn finish(&mut self, overwrite: bool) -> Result<bool, Refusal> {
        let Place { folder, name } = &self.place;
        if let Some(temporary) = &self.temporary {
            rename_in((folder, temporary), (folder, name), overwrite).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::AlreadyExists => exists(&self.path),
                    _ => refusal(&error, &self.path),
                }
            })?;
            self.temporary = None;
        }
        Ok(!self.replaces)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // When the folder is gone, so is the file.
            let _ = self.place.folder.remove_file(temporary);
        }
    }
}

fn make(folder: &Dir, run: Uuid) -> io::Result<(OsString, File)> {
    let name = OsString::from(format!("{BEFORE}{}_{}{BEHIND}", run.simple(), Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let file = folder.open_with(&name, &options)?;
    Ok((name, file))
}

#[cfg(test)]
mod tests;
