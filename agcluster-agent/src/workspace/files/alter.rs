//! Making folders, renaming, deleting.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace::files::{DeleteQuery, MakeFolder, Rename};
use agcluster_protocol::workspace::{ALREADY_EXISTS, INVALID_PATH, NOT_EMPTY, TOO_MANY, WRONG_TYPE};
use cap_std::fs::{Dir, ReadDir};
use rustix::fs::{RenameFlags, renameat, renameat_with};
use rustix::io::Errno;

use super::access::{Access, Place, open_no_link, relative};
use super::refuse::{refusal, said};
use super::walk::MOST_DEPTH;
use crate::http::Refusal;

/// Makes a folder. Whether it was not there.
pub(super) fn make_folder(access: &Access, folder: &MakeFolder) -> Result<bool, Refusal> {
    let path = relative(&folder.path)?;
    if path.as_os_str().is_empty() && folder.parents {
        return Ok(false);
    }
    let place = access.place(&path, folder.parents)?;
    match place.folder.create_dir(&place.name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_folder = place.folder.metadata(&place.name).is_ok_and(|found| found.is_dir());
            match (folder.parents, is_folder) {
                (true, true) => Ok(false),
                (false, _) => Err(refusal(&error, &path)),
                (true, false) => Err(Refusal::new(WRONG_TYPE, format!("{} is no folder", said(&path)))),
            }
        }
        Err(error) => Err(refusal(&error, &path)),
    }
}

/// Calls something differently, or moves it. A link is renamed itself.
pub(super) fn rename(access: &Access, rename: &Rename) -> Result<(), Refusal> {
    let (from, to) = (relative(&rename.from)?, relative(&rename.to)?);
    let old = access.place(&from, false)?;
    old.folder.symlink_metadata(&old.name).map_err(|error| refusal(&error, &from))?;
    let new = access.place(&to, false)?;
    let renamed = rename_in((&old.folder, &old.name), (&new.folder, &new.name), rename.overwrite);
    renamed.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::EXIST) if !rename.overwrite => Refusal::new(
            ALREADY_EXISTS,
            format!("{} is there already: choose another name, or ask for `overwrite`", said(&to)),
        ),
        Some(Errno::EXIST | Errno::NOTEMPTY) => Refusal::new(
            NOT_EMPTY,
            format!("{} is a folder with something in it: delete it first", said(&to)),
        ),
        Some(Errno::INVAL) => Refusal::new(INVALID_PATH, format!("{} cannot go into itself", said(&from))),
        Some(Errno::NOENT) => refusal(&error, &from),
        _ => refusal(&error, &to),
    })
}

/// Renames between folders that are open; in one step, whatever is there.
pub(super) fn rename_in(
    (old_folder, old_name): (&Dir, &OsStr),
    (new_folder, new_name): (&Dir, &OsStr),
    overwrite: bool,
) -> io::Result<()> {
    if overwrite {
        return Ok(renameat(old_folder, old_name, new_folder, new_name)?);
    }
    match renameat_with(old_folder, old_name, new_folder, new_name, RenameFlags::NOREPLACE) {
        // Not every file system can refuse by itself.
        Err(Errno::INVAL | Errno::NOSYS) if is_free(new_folder, new_name)? => {
            Ok(renameat(old_folder, old_name, new_folder, new_name)?)
        }
        done => Ok(done?),
    }
}

fn is_free(folder: &Dir, name: &OsStr) -> io::Result<bool> {
    match folder.symlink_metadata(name) {
        Ok(_) => Err(io::Error::from(Errno::EXIST)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Deletes a file, a link or a folder; never what a link leads to.
pub(super) fn delete(access: &Access, query: &DeleteQuery) -> Result<(), Refusal> {
    let path = relative(&query.path)?;
    let Place { folder, name } = access.place(&path, false)?;
    let refused = |error| refusal(&error, &path);
    if !folder.symlink_metadata(&name).map_err(refused)?.is_dir() {
        return folder.remove_file(&name).map_err(refused);
    }
    if query.recursive {
        empty(&folder, Path::new(&name), &path)?;
    }
    folder.remove_dir(&name).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOTEMPTY | Errno::EXIST) => {
            Refusal::new(NOT_EMPTY, format!("{} is not empty: ask for `recursive`", said(&path)))
        }
        _ => refused(error),
    })
}

/// Removes everything in a folder, without recursion and without going through a link.
fn empty(above: &Dir, name: &Path, path: &Path) -> Result<(), Refusal> {
    let refused = |error: io::Error| refusal(&error, path);
    let open = |above: &Dir, name: &OsStr| -> io::Result<(Dir, ReadDir)> {
        let folder = open_no_link(above, Path::new(name))?;
        let entries = folder.entries()?;
        Ok((folder, entries))
    };
    let (folder, entries) = open(above, name.as_os_str()).map_err(refused)?;
    let mut open_ones = vec![(folder, entries, PathBuf::new())];
    while let Some((folder, entries, _)) = open_ones.last_mut() {
        let Some(entry) = entries.next() else {
            let Some((.., own)) = open_ones.pop() else { break };
            if let Some((above, ..)) = open_ones.last() {
                gone_is_fine(above.remove_dir(&own)).map_err(refused)?;
            }
            continue;
        };
        let name = entry.map_err(refused)?.file_name();
        match folder.symlink_metadata(&name) {
            Ok(found) if found.is_dir() => {
                let (inner, entries) = open(folder, &name).map_err(refused)?;
                if open_ones.len() == MOST_DEPTH {
                    let detail =
                        format!("{} is too deep to be deleted at once: begin further down", said(path));
                    return Err(Refusal::new(TOO_MANY, detail));
                }
                open_ones.push((inner, entries, name.into()));
            }
            Ok(_) => gone_is_fine(folder.remove_file(&name)).map_err(refused)?,
            Err(error) => gone_is_fine(Err(error)).map_err(refused)?,
        }
    }
    Ok(())
}

fn gone_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
