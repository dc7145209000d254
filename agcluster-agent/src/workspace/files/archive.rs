//! A folder as one file, made while it is sent: nothing of it is ever whole in memory or on a disk.

mod pipe;
mod tar;
mod zip;

use std::io;
use std::path::Path;

use agcluster_protocol::workspace::files::{ArchiveFormat, ArchiveQuery};
use agcluster_protocol::workspace::{TOO_LARGE, TOO_MANY};
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use cap_std::fs::Dir;

use super::access::{Access, on_disk, relative};
use super::refuse::refusal;
use super::unfinished::is_unfinished;
use super::walk::{Item, MOST_DEPTH, What, walk};
use crate::http::Refusal;
use pipe::pipe;

/// Packs a folder. It is measured first, so that too much is refused before anything is sent; should it grow meanwhile, the
/// answer breaks off.
pub(super) async fn archive(access: Access, query: ArchiveQuery) -> Result<Response, Refusal> {
    let ArchiveQuery { path, format, max_bytes, max_entries } = query;
    let room = Room { bytes: max_bytes, entries: max_entries };
    let folder = on_disk(move || {
        let path = relative(&path)?;
        let folder = access.folder(&path)?;
        measure(&folder, &path, room)?;
        Ok(folder)
    });
    let folder = folder.await?;
    let (writer, pieces) = pipe();
    tokio::task::spawn_blocking(move || {
        let packed = match format {
            ArchiveFormat::Zip => zip::pack(&folder, room, writer),
            ArchiveFormat::TarZst => tar::pack(&folder, room, writer),
        };
        if let Err(error) = packed {
            tracing::debug!(%error, "an archive broke off");
        }
    });
    let kind = match format {
        ArchiveFormat::Zip => "application/zip",
        ArchiveFormat::TarZst => "application/zstd",
    };
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(pieces)).into_response())
}

/// What may be packed.
#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: u64,
    entries: u64,
}

/// Why not everything is.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Limit {
    #[error("there are too many bytes")]
    Bytes,
    #[error("there are too many entries")]
    Entries,
    #[error("folders are too deep in one another")]
    Depth,
}

impl Room {
    /// Calls `visit` for everything that an archive has. Without room for it the error is a [`Limit`].
    fn fill(mut self, folder: &Dir, visit: &mut dyn FnMut(Item<'_>) -> io::Result<()>) -> io::Result<()> {
        walk(folder, &mut |item| {
            if is_unfinished(item.name.as_os_str()) {
                return Ok(());
            }
            self.take(&item).map_err(io::Error::other)?;
            visit(item)
        })
    }

    /// Takes an item's share.
    fn take(&mut self, item: &Item<'_>) -> Result<(), Limit> {
        if matches!(item.what, What::TooDeep) {
            return Err(Limit::Depth);
        }
        self.entries = self.entries.checked_sub(1).ok_or(Limit::Entries)?;
        let size = if matches!(item.what, What::File) { item.metadata.len() } else { 0 };
        self.bytes = self.bytes.checked_sub(size).ok_or(Limit::Bytes)?;
        Ok(())
    }
}

fn measure(folder: &Dir, path: &Path, room: Room) -> Result<(), Refusal> {
    let Err(error) = room.fill(folder, &mut |_| Ok(())) else { return Ok(()) };
    let Room { bytes, entries } = room;
    Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<Limit>()) {
        Some(Limit::Bytes) => {
            Refusal::new(TOO_LARGE, format!("there are more than {bytes} bytes: fetch single folders"))
        }
        Some(Limit::Entries) => Refusal::new(
            TOO_MANY,
            format!("there are more than {entries} files and folders: fetch single folders"),
        ),
        Some(Limit::Depth) => Refusal::new(
            TOO_MANY,
            format!("more than {MOST_DEPTH} folders are in one another: fetch one from further down"),
        ),
        None => refusal(&error, path),
    })
}
