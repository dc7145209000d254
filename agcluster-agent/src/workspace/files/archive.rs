//! A folder as one file, made while it is sent: nothing of it is ever whole in memory or on a disk.

mod pipe;
mod tar;
mod walk;
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
use crate::http::Refusal;
use pipe::pipe;
use walk::{Item, What, walk};

/// Packs a folder. It is measured first, so that too much is refused before anything is sent; should it grow meanwhile, the
/// answer breaks off.
pub(super) async fn archive(access: Access, query: ArchiveQuery) -> Result<Response, Refusal> {
    let ArchiveQuery { path, format, max_bytes, max_entries } = query;
    let folder = on_disk(move || {
        let path = relative(&path)?;
        let folder = access.folder(&path)?;
        measure(&folder, &path, max_bytes, max_entries)?;
        Ok(folder)
    });
    let folder = folder.await?;
    let (writer, pieces) = pipe();
    tokio::task::spawn_blocking(move || {
        let mut left = Left { bytes: max_bytes, entries: max_entries };
        let packed = match format {
            ArchiveFormat::Zip => zip::pack(&folder, &mut left, writer),
            ArchiveFormat::TarZst => tar::pack(&folder, &mut left, writer),
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

/// What may still be packed.
struct Left {
    bytes: u64,
    entries: u64,
}

impl Left {
    /// Takes an item's share; an error names the limit.
    fn take(&mut self, item: &Item<'_>) -> Result<(), &'static str> {
        self.entries = self.entries.checked_sub(1).ok_or(TOO_MANY)?;
        let size = if matches!(item.what, What::File) { item.metadata.len() } else { 0 };
        self.bytes = self.bytes.checked_sub(size).ok_or(TOO_LARGE)?;
        Ok(())
    }
}

fn measure(folder: &Dir, path: &Path, max_bytes: u64, max_entries: u64) -> Result<(), Refusal> {
    let mut left = Left { bytes: max_bytes, entries: max_entries };
    let mut limit = None;
    let walked = walk(folder, &mut |item| {
        left.take(&item).map_err(|code| {
            limit = Some(code);
            io::Error::other(code)
        })
    });
    match (walked, limit) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(TOO_MANY)) => {
            let detail = format!("there are more than {max_entries} files and folders: fetch single folders");
            Err(Refusal::new(TOO_MANY, detail))
        }
        (Err(_), Some(code)) => {
            Err(Refusal::new(code, format!("there are more than {max_bytes} bytes: fetch single folders")))
        }
        (Err(error), None) => Err(refusal(&error, path)),
    }
}
