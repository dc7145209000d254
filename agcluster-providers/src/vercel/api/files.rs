//! Files in and out of a session.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use serde::{Deserialize, Serialize};

use super::{Api, Failure, answered, failure, json, to_json};

/// Where an upload is unpacked.
const CWD: HeaderName = HeaderName::from_static("x-cwd");

/// A file to upload.
pub(crate) struct File<'a> {
    /// Absolute.
    pub(crate) path: &'a str,
    pub(crate) mode: u32,
    pub(crate) content: &'a [u8],
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Serialize)]
struct Path<'a> {
    path: &'a str,
}

impl Api {
    /// Writes what [`pack`] made. Missing folders are made.
    pub(crate) async fn write(&self, session: &str, packed: Bytes) -> Result<(), Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "fs", "write"];
        let request = self
            .request(Method::POST, &path, &[])
            .header(CONTENT_TYPE, "application/gzip")
            .header(CWD, "/")
            .timeout(self.timeouts.archive())
            .body(packed);
        json::<Nothing>(request).await.map(|_| ())
    }

    /// The bytes of a file, as they come; `None` when it is not there. Between two pieces no more than the archive's time-out may pass.
    pub(crate) async fn read_file(
        &self,
        session: &str,
        file: &str,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, Failure>>>, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "fs", "read"];
        let request = self.request(Method::POST, &path, &[]).body(to_json(&Path { path: file })?);
        let limit = self.timeouts.archive();
        let response = match tokio::time::timeout(limit, answered(request)).await {
            Err(_) => return Err(Failure::Timeout),
            Ok(Err(failure)) if failure.status() == 404 => return Ok(None),
            Ok(response) => response?,
        };
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
        if !kind.contains("application/octet-stream") {
            let reason = format!("a file has the type {kind}");
            return Err(Failure::nonsense(reason).of_request(failure::request_id(&response)));
        }
        let pieces = futures::stream::try_unfold(response.bytes_stream(), move |mut pieces| async move {
            match tokio::time::timeout(limit, pieces.next()).await {
                Err(_) => Err(Failure::Timeout),
                Ok(None) => Ok(None),
                Ok(Some(piece)) => Ok(Some((piece?, pieces))),
            }
        });
        Ok(Some(pieces.boxed()))
    }
}

/// A file as an upload: a tar archive with paths relative to the root, compressed.
///
/// # Errors
/// A path that does not fit into a tar header.
pub(crate) fn pack(file: &File<'_>) -> io::Result<Bytes> {
    let mut header = tokio_tar::Header::new_ustar();
    header.set_path(file.path.trim_start_matches('/'))?;
    header.set_size(file.content.len() as u64);
    header.set_mode(file.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(header.as_bytes())?;
    packed.write_all(file.content)?;
    let padding = file.content.len().next_multiple_of(BLOCK) - file.content.len();
    packed.write_all(&[0; 3 * BLOCK][..padding + 2 * BLOCK])?;
    packed.finish().map(Bytes::from)
}

const BLOCK: usize = 512;
