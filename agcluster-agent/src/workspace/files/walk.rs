//! Going through a folder and everything beneath it, never through a link.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata, ReadDir};
use rustix::io::Errno;

use super::access::open_no_link;

/// How many folders may be in one another: each is open meanwhile, twice, and a process is often allowed no more than 1024 open files.
pub(super) const MOST_DEPTH: usize = 250;

/// Something that is met.
pub(super) struct Item<'a> {
    /// The folder that it is in, and its name there.
    pub(super) folder: &'a Dir,
    pub(super) name: &'a Path,
    /// The path from where the walk began.
    pub(super) path: &'a Path,
    pub(super) what: What,
    pub(super) metadata: Metadata,
}

/// What it is.
pub(super) enum What {
    File,
    Folder,
    /// A folder in so many others that it is not gone into.
    TooDeep,
    Link(PathBuf),
}

/// Calls `visit` for everything but devices, pipes and sockets; a folder comes before what is in it. What is gone or closed when its turn comes is
/// left out.
pub(super) fn walk(top: &Dir, visit: &mut dyn FnMut(Item<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut open: Vec<(Dir, ReadDir, PathBuf)> = vec![(top.try_clone()?, top.entries()?, PathBuf::new())];
    loop {
        let depth = open.len();
        let Some((folder, entries, above)) = open.last_mut() else { return Ok(()) };
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        let name: OsString = entry?.file_name();
        let Ok(metadata) = folder.symlink_metadata(&name) else { continue };
        let path = above.join(&name);
        let what = match metadata.file_type() {
            kind if kind.is_dir() && depth > MOST_DEPTH => What::TooDeep,
            kind if kind.is_dir() => What::Folder,
            kind if kind.is_file() => What::File,
            kind if kind.is_symlink() => match folder.read_link_contents(&name) {
                Ok(target) => What::Link(target),
                Err(_) => continue,
            },
            _ => continue,
        };
        let is_folder = matches!(what, What::Folder);
        visit(Item { folder, name: Path::new(&name), path: &path, what, metadata })?;
        if is_folder {
            let inner = open_no_link(folder, Path::new(&name));
            if let Some((inner, entries)) = if_there(inner.and_then(|inner| {
                let entries = inner.entries()?;
                Ok((inner, entries))
            }))? {
                open.push((inner, entries, path));
            }
        }
    }
}

/// What was opened; nothing when it is gone or closed to this user. That this process can open no more is an error.
pub(super) fn if_there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error)
            if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)) =>
        {
            Err(error)
        }
        opened => Ok(opened.ok()),
    }
}
