//! Going through a folder and everything beneath it, never through a link.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata, ReadDir};

use crate::workspace::files::access::open_no_link;
use crate::workspace::files::write::is_unfinished;

/// How many folders may be in one another: each is open meanwhile.
const MOST_DEPTH: usize = 500;

/// Something that an archive has.
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
    Link(PathBuf),
}

/// Calls `visit` for everything but devices, pipes and sockets; a folder comes before what is in it. What is gone or closed when its turn comes is
/// left out.
pub(super) fn walk(top: &Dir, visit: &mut dyn FnMut(Item<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut open: Vec<(Dir, ReadDir, PathBuf)> = vec![(top.try_clone()?, top.entries()?, PathBuf::new())];
    while let Some((folder, entries, above)) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        let name: OsString = entry?.file_name();
        let Ok(metadata) = folder.symlink_metadata(&name) else { continue };
        let path = above.join(&name);
        let what = match metadata.file_type() {
            kind if kind.is_dir() => What::Folder,
            kind if kind.is_file() => What::File,
            kind if kind.is_symlink() => match folder.read_link_contents(&name) {
                Ok(target) => What::Link(target),
                Err(_) => continue,
            },
            _ => continue,
        };
        if is_unfinished(name.as_encoded_bytes()) {
            continue;
        }
        let is_folder = matches!(what, What::Folder);
        visit(Item { folder, name: Path::new(&name), path: &path, what, metadata })?;
        if is_folder && open.len() < MOST_DEPTH {
            let Some((folder, ..)) = open.last() else { break };
            if let Ok(inner) = open_no_link(folder, Path::new(&name))
                && let Ok(entries) = inner.entries()
            {
                open.push((inner, entries, path));
            }
        }
    }
    Ok(())
}
