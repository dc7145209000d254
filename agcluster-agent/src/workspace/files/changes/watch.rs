//! Watches on folders, and what they have seen.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agcluster_protocol::workspace::files::{Change, ChangeKind, Changes};
use cap_std::fs::Dir;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::workspace::files::access::{open_no_link, wire};
use crate::workspace::files::unfinished::is_unfinished;

/// The most folders that are watched: the kernel holds something for each.
const MOST_FOLDERS: usize = 4096;
/// The most changes that are told at once.
const MOST_CHANGES: usize = 1000;
/// Folders in which programs keep what nobody reads file by file.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// A folder that is watched with everything beneath it, as far as there is room.
pub(super) struct Watch<Fd = OwnedFd> {
    events: Fd,
    top: Dir,
    /// The path of `top` from the workspace's root.
    path: PathBuf,
    /// What is watched, by the kernel's number: paths from `top`.
    folders: HashMap<i32, PathBuf>,
    partial: bool,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn of(top: Dir, path: PathBuf) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut watch = Self { events, top, path, folders: HashMap::new(), partial: false };
        watch.add(PathBuf::new(), &mut |_| {})?;
        Ok(watch)
    }

    /// Makes it one that can be waited for.
    pub(super) fn listen(self) -> io::Result<Watch<AsyncFd<OwnedFd>>> {
        let Self { events, top, path, folders, partial } = self;
        #[allow(deprecated, reason = "its successor is unsafe for what owns no file; this does")]
        let events = AsyncFd::with_interest(events, Interest::READABLE)?;
        Ok(Watch { events, top, path, folders, partial })
    }

    /// Watches a folder and those beneath it, the uppermost first, and tells what is in them.
    fn add(&mut self, folder: PathBuf, found: &mut dyn FnMut(&Path)) -> io::Result<()> {
        add(&self.events, &self.top, &mut self.folders, &mut self.partial, folder, found)
    }
}

impl Watch<AsyncFd<OwnedFd>> {
    /// Whether there are folders that are not watched.
    pub(super) fn is_partial(&self) -> bool {
        self.partial
    }

    /// Waits until something has happened.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.events.readable().await?.clear_ready();
        Ok(())
    }

    /// Everything that has happened until now.
    pub(super) fn collect(&mut self) -> io::Result<Changes> {
        let mut seen = Seen { changes: BTreeMap::new(), overflow: false };
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut fresh = Vec::new();
        let mut reader = inotify::Reader::new(self.events.get_ref(), &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                seen.overflow = true;
                continue;
            }
            if flags.contains(ReadFlags::IGNORED) {
                self.folders.remove(&event.wd());
                continue;
            }
            let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), event.file_name()) else {
                continue;
            };
            let name = OsStr::from_bytes(name.to_bytes());
            if is_unfinished(name) {
                continue;
            }
            let path = folder.join(name);
            let kind = if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                ChangeKind::Created
            } else if flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
                ChangeKind::Removed
            } else {
                ChangeKind::Modified
            };
            // One that was moved away may be watched still, under the name that it had.
            if flags.contains(ReadFlags::ISDIR) && kind != ChangeKind::Modified && !is_skipped(&path) {
                fresh.push(path.clone());
            }
            seen.add(path, kind);
        }
        for folder in fresh {
            self.forget(&folder);
            let found = &mut |path: &Path| seen.add(path.to_owned(), ChangeKind::Created);
            let Self { events, top, folders, partial, .. } = self;
            add(events.get_ref(), top, folders, partial, folder, found)?;
        }
        let changes = seen.changes.into_iter().map(|(path, kind)| {
            let path = wire(self.path.join(path).as_os_str());
            Change { path, kind }
        });
        Ok(Changes { changes: changes.collect(), overflow: seen.overflow, partial: self.partial })
    }

    /// No longer watches what was beneath this path.
    fn forget(&mut self, folder: &Path) {
        let events = self.events.get_ref();
        self.folders.retain(|number, path| {
            let gone = path.starts_with(folder);
            if gone {
                // What is deleted is not watched anyway.
                let _ = inotify::remove_watch(events, *number);
            }
            !gone
        });
    }
}

fn add(
    events: &OwnedFd,
    top: &Dir,
    folders: &mut HashMap<i32, PathBuf>,
    partial: &mut bool,
    folder: PathBuf,
    found: &mut dyn FnMut(&Path),
) -> io::Result<()> {
    let mut waiting = VecDeque::from([folder]);
    while let Some(folder) = waiting.pop_front() {
        if folders.len() >= MOST_FOLDERS {
            *partial = true;
            return Ok(());
        }
        let opened = if folder.as_os_str().is_empty() { top.try_clone() } else { open_no_link(top, &folder) };
        // What is gone, closed or no folder any more is not watched.
        let Ok(opened) = opened else { continue };
        match inotify::add_watch(events, format!("/proc/self/fd/{}", opened.as_raw_fd()), watched()) {
            Ok(number) => folders.insert(number, folder.clone()),
            Err(Errno::NOSPC) => {
                *partial = true;
                return Ok(());
            }
            Err(Errno::ACCESS) => continue,
            Err(error) => return Err(error.into()),
        };
        let Ok(entries) = opened.entries() else { continue };
        for entry in entries.flatten().take(MOST_FOLDERS.saturating_mul(16)) {
            let name = entry.file_name();
            if is_unfinished(&name) {
                continue;
            }
            let path = folder.join(&name);
            found(&path);
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !is_skipped(&path) {
                // No more of them are remembered than can be watched.
                match waiting.len() < MOST_FOLDERS {
                    true => waiting.push_back(path),
                    false => *partial = true,
                }
            }
        }
    }
    Ok(())
}

fn is_skipped(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| SKIPPED.iter().any(|skipped| *skipped == name))
}

fn watched() -> WatchFlags {
    WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::MODIFY
        | WatchFlags::ATTRIB
        | WatchFlags::ONLYDIR
        | WatchFlags::EXCL_UNLINK
}

/// What happened to each path last.
struct Seen {
    changes: BTreeMap<PathBuf, ChangeKind>,
    overflow: bool,
}

impl Seen {
    fn add(&mut self, path: PathBuf, kind: ChangeKind) {
        match (self.changes.get(&path), kind) {
            // What is new stays new when it is written.
            (Some(ChangeKind::Created), ChangeKind::Modified) => {}
            (None, _) if self.changes.len() >= MOST_CHANGES => self.overflow = true,
            _ => drop(self.changes.insert(path, kind)),
        }
    }
}
