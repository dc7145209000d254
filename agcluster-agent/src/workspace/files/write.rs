//! Writing files: beside their place, and there in one step when they are whole.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace::files::{WriteQuery, Written};
use agcluster_protocol::workspace::{ALREADY_EXISTS, INVALID_REQUEST, WRONG_TYPE};
use axum::body::Body;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use futures::StreamExt;
use tokio::io::AsyncWriteExt;

use super::access::{Access, Place, on_disk, relative};
use super::alter::rename_in;
use super::refuse::{refusal, said};
use crate::http::{Refusal, linger};

/// How files that are not whole yet are named. They are in no list and in no archive.
const UNFINISHED: (&str, &str) = (".agcluster-", ".part");

/// Whether this is the name of a file that is not whole yet.
pub(super) fn is_unfinished(name: &[u8]) -> bool {
    name.starts_with(UNFINISHED.0.as_bytes()) && name.ends_with(UNFINISHED.1.as_bytes())
}

/// Writes what comes to a file. Until all of it has come, and whenever it breaks off, what was there before stays.
pub(super) async fn write(access: Access, query: WriteQuery, body: Body) -> Result<Written, Refusal> {
    let WriteQuery { path, overwrite, parents } = query;
    let begun = on_disk(move || {
        let path = relative(&path)?;
        Unfinished::begin(&access, path, overwrite, parents)
    });
    let (mut unfinished, file) = match begun.await {
        Ok(begun) => begun,
        Err(refusal) => {
            linger(body);
            return Err(refusal);
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    let mut pieces = body.into_data_stream();
    let mut size = 0;
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else {
            return Err(Refusal::new(INVALID_REQUEST, "the body broke off: send it again"));
        };
        size += piece.len() as u64;
        if let Err(error) = file.write_all(&piece).await {
            linger(Body::from_stream(pieces));
            return Err(refusal(&error, &unfinished.path));
        }
    }
    file.flush().await.map_err(|error| refusal(&error, &unfinished.path))?;
    drop(file);
    on_disk(move || unfinished.finish(overwrite).map(|created| Written { size, created })).await
}

/// A file that is not whole yet; without [`finish`](Self::finish) it is gone.
struct Unfinished {
    place: Place,
    /// Where it will be, for sentences.
    path: PathBuf,
    temporary: Option<OsString>,
    /// Whether something is there already.
    replaces: bool,
}

impl Unfinished {
    fn begin(
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
        let (temporary, file) = make_temporary(&place.folder).map_err(failed)?;
        let unfinished =
            Self { place, path: path.clone(), temporary: Some(temporary), replaces: mode.is_some() };
        if let Some(mode) = mode {
            file.set_permissions(Permissions::from_mode(mode & 0o777)).map_err(failed)?;
        }
        Ok((unfinished, file.into_std()))
    }

    /// Puts it into its place. Whether nothing was there.
    fn finish(&mut self, overwrite: bool) -> Result<bool, Refusal> {
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

fn exists(path: &Path) -> Refusal {
    let detail = format!("{} is there already: ask for `overwrite` to replace it", said(path));
    Refusal::new(ALREADY_EXISTS, detail)
}

fn make_temporary(folder: &Dir) -> io::Result<(OsString, cap_std::fs::File)> {
    let (before, behind) = UNFINISHED;
    let name = OsString::from(format!("{before}{}{behind}", uuid::Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let file = folder.open_with(&name, &options)?;
    Ok((name, file))
}
