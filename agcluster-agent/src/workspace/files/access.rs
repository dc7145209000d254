//! The way into the workspace: the root, and places beneath it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::files::FilePath;
use agcluster_protocol::workspace::{INVALID_PATH, NOT_FOUND};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use uuid::Uuid;

use super::refuse::{refusal, said};
use crate::http::Refusal;
use crate::workspace::path::{NoPath, clean};

/// The workspace's root, as one run of this program reaches it.
#[derive(Debug, Clone)]
pub(super) struct Access {
    root: Arc<Path>,
    run: Uuid,
}

/// A folder that is open, and a name in it. What is done to the name reaches nothing else, and follows no link.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: Dir,
    pub(super) name: OsString,
}

impl Access {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.into(), run: Uuid::new_v4() }
    }

    /// Whatever is begun and not finished is this run's.
    pub(super) fn run(&self) -> Uuid {
        self.run
    }

    /// The root itself. Beneath what this gives the kernel (`openat2`) holds every look-up.
    pub(super) fn root(&self) -> Result<Dir, Refusal> {
        Dir::open_ambient_dir(&self.root, ambient_authority())
            .map_err(|error| refusal(&error, Path::new("/")))
    }

    /// A folder, through links as long as they stay beneath.
    pub(super) fn folder(&self, path: &Path) -> Result<Dir, Refusal> {
        let root = self.root()?;
        open_folder(&root, path).map_err(|error| refusal(&error, path))
    }

    /// A name in its folder. With `parents`, missing folders are made.
    pub(super) fn place(&self, path: &Path, parents: bool) -> Result<Place, Refusal> {
        let Some(name) = path.file_name() else {
            return Err(Refusal::new(INVALID_PATH, "that is the workspace itself: name something in it"));
        };
        let above = path.parent().unwrap_or(Path::new(""));
        let root = self.root()?;
        if parents && !above.as_os_str().is_empty() {
            root.create_dir_all(above).map_err(|error| refusal(&error, above))?;
        }
        let folder = open_folder(&root, above).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::new(
                NOT_FOUND,
                format!("there is no folder {}: make it first, or ask for `parents`", said(above)),
            ),
            _ => refusal(&error, above),
        })?;
        Ok(Place { folder, name: name.to_owned() })
    }
}

fn open_folder(root: &Dir, path: &Path) -> io::Result<Dir> {
    if path.as_os_str().is_empty() { root.try_clone() } else { root.open_dir(path) }
}

/// A folder to be read, unless a link stands in its place.
pub(super) fn open_no_link(above: &Dir, path: &Path) -> io::Result<Dir> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed());
    Ok(Dir::from_std_file(above.open_with(path, &options)?.into_std()))
}

/// A path as it may be asked for: from the root, whether it begins with a slash or not.
pub(super) fn relative(path: &FilePath) -> Result<PathBuf, Refusal> {
    clean(path.as_bytes()).map_err(|wrong| {
        let why = match wrong {
            NoPath::LeadsUp => "the path has `..` in it: write it from the workspace's root",
            NoPath::Zero => "a path has no zero byte in it",
        };
        Refusal::new(INVALID_PATH, why)
    })
}

/// The path as the protocol writes it.
pub(super) fn wire(path: &OsStr) -> FilePath {
    FilePath::from_bytes(path.as_bytes())
}

/// Does work that waits for the disk where that holds up nobody.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Refusal::new(codes::INTERNAL, "the work on the files broke off")))
}
