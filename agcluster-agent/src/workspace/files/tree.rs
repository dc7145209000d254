//! Listing folders: in the order of names, and never more than so much at once.

use std::collections::BinaryHeap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace::WRONG_TYPE;
use agcluster_protocol::workspace::files::{Entry, EntryKind, FilePath, Tree, TreeQuery};
use cap_std::fs::{Dir, Metadata, MetadataExt};
use jiff::Timestamp;

use super::access::{Access, open_no_link, relative, wire};
use super::refuse::{refusal, said};
use super::unfinished::is_unfinished;
use crate::http::Refusal;

/// The most entries of an answer.
const MOST_ENTRIES: usize = 10_000;
/// The most bytes of names and links in an answer.
const MOST_BYTES: usize = 1 << 20;
/// How far down an answer goes at most.
const MOST_DEPTH: u32 = 32;

/// What lies at a path, without what is in it.
pub(super) fn stat(access: &Access, path: &FilePath) -> Result<Entry, Refusal> {
    let path = relative(path)?;
    if path.as_os_str().is_empty() {
        let metadata = access.root()?.dir_metadata().map_err(|error| refusal(&error, &path))?;
        return Ok(entry(FilePath::default(), &metadata));
    }
    let place = access.place(&path, false)?;
    let name = Path::new(&place.name);
    let metadata = place.folder.symlink_metadata(name).map_err(|error| refusal(&error, &path))?;
    Ok(whole_entry(&place.folder, wire(&place.name), &metadata))
}

/// A folder and what is in it, folder after folder from the top, so that what is cut off is what lies deepest.
pub(super) fn list(access: &Access, query: &TreeQuery) -> Result<Tree, Refusal> {
    let path = relative(&query.path)?;
    let top = access.folder(&path)?;
    let metadata = top.dir_metadata().map_err(|error| refusal(&error, &path))?;
    if !metadata.is_dir() {
        return Err(Refusal::new(WRONG_TYPE, format!("{} is no folder", said(&path))));
    }
    let name = path.file_name().map(wire).unwrap_or_default();
    let listing = Listing {
        room: Room {
            entries: query.limit.map_or(MOST_ENTRIES, |limit| (limit as usize).min(MOST_ENTRIES)),
            bytes: MOST_BYTES,
        },
        files: 0,
        truncated: false,
    };
    let depth = query.depth.unwrap_or(MOST_DEPTH).min(MOST_DEPTH);
    listing
        .fill(&top, entry(name, &metadata), depth, query.after.as_ref())
        .map_err(|error| refusal(&error, &path))
}

/// What still has room in an answer.
struct Room {
    entries: usize,
    bytes: usize,
}

struct Listing {
    room: Room,
    files: u64,
    truncated: bool,
}

/// An entry that has been found, at an index behind that of its folder.
struct Found {
    entry: Entry,
    path: PathBuf,
    depth: u32,
    /// The index of the first that is in it, if it was looked into.
    inside: Option<usize>,
}

impl Listing {
    fn fill(mut self, top: &Dir, folder: Entry, depth: u32, after: Option<&FilePath>) -> io::Result<Tree> {
        let mut found = vec![Found { entry: folder, path: PathBuf::new(), depth: 0, inside: None }];
        let mut next = 0;
        while let Some(Found { entry, path, depth: here, .. }) = found.get_mut(next) {
            if entry.kind == EntryKind::Directory && *here < depth {
                let looked = match next {
                    0 => Some(self.look_into(top, entry, after)?),
                    // One that is gone, or closed, or became a link meanwhile is shown as one that was not looked into.
                    _ => open_no_link(top, path).and_then(|inner| self.look_into(&inner, entry, None)).ok(),
                };
                let (path, depth) = (path.clone(), *here + 1);
                let inside = found.len();
                found[next].inside = looked.is_some().then_some(inside);
                found.extend(looked.into_iter().flatten().map(|entry| {
                    let path = path.join(OsStr::from_bytes(entry.name.as_bytes()));
                    Found { entry, path, depth, inside: None }
                }));
            }
            next += 1;
        }
        let entries = found.len() as u64 - 1;
        // From the end, so that whatever is put into its folder has everything in it already.
        for index in (0..found.len()).rev() {
            if let Some(inside) = found[index].inside {
                let children = found.split_off(inside).into_iter().map(|found| found.entry).collect();
                found[index].entry.children = Some(children);
            }
        }
        let folder = found.swap_remove(0).entry;
        Ok(Tree { folder, entries, files: self.files, truncated: self.truncated })
    }

    /// Takes the first entries by name, as many as there is room for. However many there are, no more are held.
    fn look_into(
        &mut self,
        folder: &Dir,
        entry: &mut Entry,
        after: Option<&FilePath>,
    ) -> io::Result<Vec<Entry>> {
        let mut first = BinaryHeap::new();
        let mut bytes = 0;
        let mut truncated = false;
        for found in folder.entries()? {
            let name = found?.file_name();
            let (unfinished, name) = (is_unfinished(&name), wire(&name));
            if unfinished || after.is_some_and(|after| name <= *after) {
                continue;
            }
            bytes += name.as_bytes().len();
            first.push(name);
            while first.len() > self.room.entries || bytes > self.room.bytes {
                let Some(last) = first.pop() else { break };
                bytes -= last.as_bytes().len();
                truncated = true;
            }
        }
        self.room.bytes -= bytes;
        let mut children = Vec::with_capacity(first.len());
        for name in first.into_sorted_vec() {
            // What is gone meanwhile is left out.
            let path = Path::new(OsStr::from_bytes(name.as_bytes()));
            let Ok(metadata) = folder.symlink_metadata(path) else { continue };
            let child = whole_entry(folder, name, &metadata);
            let target = child.target.as_ref().map_or(0, |target| target.as_bytes().len());
            self.room.bytes = self.room.bytes.saturating_sub(target);
            self.files += u64::from(child.kind == EntryKind::File);
            children.push(child);
        }
        self.room.entries -= children.len();
        self.truncated |= truncated;
        entry.truncated = truncated;
        Ok(children)
    }
}

fn whole_entry(folder: &Dir, name: FilePath, metadata: &Metadata) -> Entry {
    let target = metadata.is_symlink().then(|| {
        let path = Path::new(OsStr::from_bytes(name.as_bytes()));
        folder.read_link_contents(path).map(|target| wire(target.as_os_str())).ok()
    });
    Entry { target: target.flatten(), ..entry(name, metadata) }
}

fn entry(name: FilePath, metadata: &Metadata) -> Entry {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => EntryKind::File,
        kind if kind.is_dir() => EntryKind::Directory,
        kind if kind.is_symlink() => EntryKind::Symlink,
        _ => EntryKind::Other,
    };
    Entry {
        name,
        kind,
        size: if kind == EntryKind::File { metadata.len() } else { 0 },
        modified: Timestamp::new(metadata.mtime(), i32::try_from(metadata.mtime_nsec()).unwrap_or(0)).ok(),
        mode: metadata.mode() & 0o777,
        target: None,
        children: None,
        truncated: false,
    }
}
