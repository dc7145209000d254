//! Files beneath the workspace.
//!
//! | route | asked | answer |
//! |---|---|---|
//! | `GET /files/tree` | [`TreeQuery`] | [`Tree`] |
//! | `GET /files/stat` | [`PathQuery`] | [`Entry`] |
//! | `GET /files/content` | [`PathQuery`], `Range`, `If-Range` | the bytes, 200 or 206, with `ETag`, `Last-Modified` and [`FILE_SIZE`] |
//! | `PUT /files/content` | [`WriteQuery`], the bytes | [`Written`] |
//! | `DELETE /files/content` | [`DeleteQuery`] | 204 |
//! | `POST /files/folder` | [`MakeFolder`] | [`Written`] |
//! | `POST /files/rename` | [`Rename`] | 204 |
//! | `GET /files/archive` | [`ArchiveQuery`] | the archive |
//! | `GET /files/changes` | [`ChangesQuery`] | a line of JSON for each [`Changes`] with its [`Place`], one without any at the beginning, and in silence one without a place |
//!
//! A path is taken from the workspace's root, whether it begins with a slash or not, and has no `..` among its parts. Links are
//! followed as long as they stay beneath the root.

mod path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use path::FilePath;

use super::Place;

/// Where the routes of files are, behind [`PREFIX`](super::PREFIX).
pub const TREE: &str = "/files/tree";
/// See the table.
pub const STAT: &str = "/files/stat";
/// See the table.
pub const CONTENT: &str = "/files/content";
/// See the table.
pub const FOLDER: &str = "/files/folder";
/// See the table.
pub const RENAME: &str = "/files/rename";
/// See the table.
pub const ARCHIVE: &str = "/files/archive";
/// See the table.
pub const CHANGES: &str = "/files/changes";

/// The header of a file's answer that says how many bytes the whole file has.
pub const FILE_SIZE: &str = "x-agcluster-file-size";

/// What lies at a path. A link is itself, not what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The last part of its path; empty for the root.
    pub name: FilePath,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes, of a file; 0 for anything else.
    pub size: u64,
    /// When its content was last changed, where the file system says so.
    pub modified: Option<Timestamp>,
    /// Permissions: the lowest nine bits.
    pub mode: u32,
    /// What a link says, as it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FilePath>,
    /// What is in a folder, by name; absent where it was not looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children: Option<Vec<Entry>>,
    /// Whether `children` are not all there are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The kinds of things in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A link.
    Symlink,
    /// A device, a pipe, a socket. Never opened.
    #[serde(other)]
    Other,
}

/// Which folder to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TreeQuery {
    /// The folder.
    #[serde(default)]
    pub path: FilePath,
    /// How far down: 1 is the folder's own content. The agent server's most when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// The most entries altogether. The agent server's most when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Of the folder itself, only what comes behind this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<FilePath>,
}

/// A folder and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The folder.
    pub folder: Entry,
    /// How many entries are in this answer, without the folder itself.
    pub entries: u64,
    /// How many of them are files.
    pub files: u64,
    /// Whether there are more, up to the depth that was asked for.
    pub truncated: bool,
}

/// Something at a path.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PathQuery {
    /// The path.
    #[serde(default)]
    pub path: FilePath,
}

/// Which changes to tell.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ChangesQuery {
    /// The folder.
    #[serde(default)]
    pub path: FilePath,
    /// The last of them that the reader has. Without it, those from now on are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
}

/// Where and how to write a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteQuery {
    /// The file.
    pub path: FilePath,
    /// Whether a file that is there is replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// Whether missing folders are made.
    #[serde(default)]
    pub parents: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// Whether nothing was there before.
    pub created: bool,
}

/// What to delete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteQuery {
    /// The file, link or folder.
    pub path: FilePath,
    /// Whether a folder is deleted with what is in it.
    #[serde(default)]
    pub recursive: bool,
}

/// A folder to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MakeFolder {
    /// The folder.
    pub path: FilePath,
    /// Whether missing ones above are made, and one that is there is success.
    #[serde(default)]
    pub parents: bool,
}

/// What to call differently.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rename {
    /// What is there.
    pub from: FilePath,
    /// What shall be there instead.
    pub to: FilePath,
    /// Whether a file, or an empty folder, that is there already is replaced.
    #[serde(default)]
    pub overwrite: bool,
}

/// The formats of archives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// ZIP.
    #[default]
    #[serde(rename = "zip")]
    Zip,
    /// tar, compressed with Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
}

/// What to pack. Links are stored as links; devices, pipes and sockets are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArchiveQuery {
    /// The folder.
    #[serde(default)]
    pub path: FilePath,
    /// How.
    #[serde(default)]
    pub format: ArchiveFormat,
    /// The most bytes in all files together.
    pub max_bytes: u64,
    /// The most entries.
    pub max_entries: u64,
}

/// What was changed lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Paths from the root of the workspace, each once.
    pub changes: Vec<Change>,
    /// Whether there were more than are told: look at the tree again.
    #[serde(default)]
    pub overflow: bool,
    /// Whether there are more folders than are watched. Changes in those are not told.
    #[serde(default)]
    pub partial: bool,
}

/// A change of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path.
    pub path: FilePath,
    /// What happened to it last.
    pub kind: ChangeKind,
}

/// What can happen to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new there.
    Created,
    /// Its content or its attributes are others.
    Modified,
    /// It is no longer there.
    Removed,
}
