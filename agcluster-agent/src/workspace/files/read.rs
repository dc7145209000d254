//! Reading files, whole or in part.

use std::fs::File;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agcluster_protocol::workspace::files::{FILE_SIZE, FilePath};
use agcluster_protocol::workspace::{RANGE, WRONG_TYPE};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use jiff::Timestamp;
use rustix::fs::OFlags;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::access::{Access, relative};
use super::range::{Range, Ranged};
use super::refuse::{refusal, said};
use super::walk::if_there;
use crate::http::Refusal;

/// How much is read at a time.
const PIECE: usize = 128 * 1024;

/// A regular file that is open.
pub(super) struct Opened {
    file: File,
    size: u64,
    modified: Option<Timestamp>,
    tag: String,
}

/// Opens a regular file; anything else is not opened, or let go of before anything is read.
pub(super) fn open(access: &Access, path: &FilePath) -> Result<Opened, Refusal> {
    let path = relative(path)?;
    let refused = |error| refusal(&error, &path);
    let no_file = |is_folder: bool| {
        let what = if is_folder { "is a folder: list it" } else { "is no regular file, and is not opened" };
        Refusal::new(WRONG_TYPE, format!("{} {what}", said(&path)))
    };
    if path.as_os_str().is_empty() {
        return Err(no_file(true));
    }
    let root = access.root()?;
    let found = root.metadata(&path).map_err(refused)?;
    if !found.is_file() {
        return Err(no_file(found.is_dir()));
    }
    let file = open_quietly(&root, &path, OFlags::empty()).map_err(refused)?;
    let found = file.metadata().map_err(refused)?;
    if !found.is_file() {
        return Err(no_file(found.is_dir()));
    }
    let nanoseconds = i32::try_from(found.mtime_nsec()).unwrap_or(0);
    Ok(Opened {
        size: found.len(),
        modified: Timestamp::new(found.mtime(), nanoseconds).ok(),
        tag: format!("\"{:x}-{:x}-{:x}-{:x}\"", found.ino(), found.len(), found.mtime(), nanoseconds),
        file,
    })
}

/// Opens a regular file that is itself in a folder, if it still is, and says how long it is.
pub(super) fn open_item(folder: &Dir, name: &Path) -> std::io::Result<Option<(File, u64)>> {
    let Some(file) = if_there(open_quietly(folder, name, OFlags::NOFOLLOW))? else { return Ok(None) };
    let found = file.metadata()?;
    Ok(found.is_file().then_some((file, found.len())))
}

/// Should it have become a pipe or a terminal since it was looked at, opening it waits for nobody and changes nothing.
fn open_quietly(folder: &Dir, path: &Path, flags: OFlags) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    Ok(folder.open_with(path, &options)?.into_std())
}

/// The file, or the part of it that is asked for.
pub(super) async fn respond(opened: Opened, asked: &HeaderMap) -> Result<Response, Refusal> {
    let Opened { file, size, modified, tag } = opened;
    let fresh = asked.get(header::IF_RANGE).is_none_or(|condition| condition.as_bytes() == tag.as_bytes());
    let range = asked.get(header::RANGE).filter(|_| fresh).and_then(|range| range.to_str().ok());
    let (status, Range { start, length }) = match Range::of(range, size) {
        Ranged::Whole => (StatusCode::OK, Range { start: 0, length: size }),
        Ranged::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Ranged::Beyond => {
            return Err(Refusal::new(
                RANGE,
                format!("the range lies behind the end: the file has {size} bytes"),
            ));
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    if start > 0 {
        let sought = file.seek(SeekFrom::Start(start)).await;
        sought.map_err(|error| refusal(&error, Path::new("")))?;
    }
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(HeaderName::from_static(FILE_SIZE), HeaderValue::from(size));
    insert(headers, header::ETAG, tag);
    if let Some(modified) = modified {
        insert(headers, header::LAST_MODIFIED, modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let last = start + length - 1;
        insert(headers, header::CONTENT_RANGE, format!("bytes {start}-{last}/{size}"));
    }
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
