//! Files in a session's container. Contents are streamed both ways and never kept here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Serialize;
use tokio::sync::Notify;

use agcluster_protocol::workspace::files::{
    ARCHIVE, CHANGES, CONTENT, FILE_SIZE, FOLDER, PathQuery, RENAME, STAT, TREE,
};
pub use agcluster_protocol::workspace::files::{
    ArchiveFormat, ArchiveQuery, Change, ChangeKind, Changes, ChangesQuery, DeleteQuery, Entry, EntryKind,
    FilePath, MakeFolder, Rename, Tree, TreeQuery, WriteQuery, Written,
};
use agcluster_protocol::workspace::{PREFIX, Placed};

use super::Workspace;
use super::frames::Frames;
use super::patient::{SILENCE, patient};
use super::query::query_string;
use crate::agent::{self, AgentError, Exchange};
use crate::session::Result;

/// How long a folder may be gone through before it is packed.
const MEASURED: Duration = Duration::from_secs(120);

/// A file's content, or a part of it.
pub struct Content {
    /// Bytes of the whole file.
    pub size: u64,
    /// Which bytes these are, the first and the last, when they are a part.
    pub part: Option<(u64, u64)>,
    /// What tells this content from any other of the file.
    pub tag: Option<HeaderValue>,
    /// When it was last changed.
    pub modified: Option<HeaderValue>,
    /// The bytes. An error breaks it off: what has come is not whole then.
    pub bytes: BoxStream<'static, agent::Result<Bytes>>,
}

impl Workspace {
    /// A folder and what is in it, as much as the agent server gives at once.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange), as for everything here.
    pub async fn tree(&self, query: &TreeQuery) -> Result<Tree> {
        self.call(Exchange::new("the file tree", Method::GET, address(TREE, query)?)).await
    }

    /// What lies at a path; a link itself.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn stat(&self, path: &FilePath) -> Result<Entry> {
        let query = PathQuery { path: path.clone() };
        self.call(Exchange::new("the file", Method::GET, address(STAT, &query)?)).await
    }

    /// A regular file's content. `Range` and `If-Range` of the headers are heeded, nothing else of them.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn read(&self, path: &FilePath, headers: &HeaderMap) -> Result<Content> {
        let query = PathQuery { path: path.clone() };
        let mut exchange = Exchange::new("reading a file", Method::GET, address(CONTENT, &query)?);
        for name in [header::RANGE, header::IF_RANGE] {
            if let Some(value) = headers.get(&name) {
                exchange = exchange.header(name, value.clone());
            }
        }
        let (head, body) = self.exchange(exchange).await?.into_parts();
        let number = |name: &str| head.headers.get(name)?.to_str().ok()?.parse().ok();
        let size = number(FILE_SIZE)
            .ok_or_else(|| AgentError::Protocol("a file came without its size".to_owned()))?;
        let part = match head.headers.get(header::CONTENT_RANGE) {
            None => None,
            Some(range) => Some(part(range, size).ok_or_else(|| {
                AgentError::Protocol("a part of a file came with a range that makes no sense".to_owned())
            })?),
        };
        Ok(Content {
            size,
            part,
            tag: head.headers.get(header::ETAG).cloned(),
            modified: head.headers.get(header::LAST_MODIFIED).cloned(),
            bytes: patient("reading a file", body),
        })
    }

    /// Writes what comes to a file; what was there stays until all of it has come. A stream that ends with an error writes
    /// nothing, and so does dropping this future.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn write(
        &self,
        query: &WriteQuery,
        bytes: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<Written> {
        const OPERATION: &str = "writing a file";
        let moved = Arc::new(Notify::new());
        let notes = Arc::clone(&moved);
        let bytes = bytes.inspect(move |_| notes.notify_one()).boxed();
        let exchange = Exchange::new(OPERATION, Method::PUT, address(CONTENT, query)?);
        let writing = self.call(exchange.stream(bytes).unlimited());
        tokio::pin!(writing);
        loop {
            tokio::select! {
                written = &mut writing => return written,
                // However long it takes altogether, there is always something on its way.
                moved = tokio::time::timeout(SILENCE, moved.notified()) => if moved.is_err() {
                    return Err(AgentError::Timeout { operation: OPERATION, limit: SILENCE }.into());
                },
            }
        }
    }

    /// A folder as one file, made while it is read.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn archive(&self, query: &ArchiveQuery) -> Result<BoxStream<'static, agent::Result<Bytes>>> {
        let exchange = Exchange::new("an archive", Method::GET, address(ARCHIVE, query)?);
        // All of it is measured before anything is sent.
        let answer = self.exchange(exchange.limit(MEASURED)).await?;
        Ok(patient("an archive", answer.into_body()))
    }

    /// What changes beneath a folder, as it does; behind a place, what has changed since. One without any says that it is
    /// watched: the first where there is no place to go on from, and again where there is silence, which then has no place.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn changes(
        &self,
        query: &ChangesQuery,
    ) -> Result<BoxStream<'static, agent::Result<Placed<Changes>>>> {
        const OPERATION: &str = "the changes of files";
        let answer = self.exchange(Exchange::new(OPERATION, Method::GET, address(CHANGES, query)?)).await?;
        let frames = Frames::<Placed<Changes>>::new(OPERATION, answer);
        let changes = stream::unfold(Some(frames), |frames| async move {
            let mut frames = frames?;
            match frames.next().await {
                Ok(changes) => Some((Ok(changes?), Some(frames))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(changes.boxed())
    }

    /// Deletes a file, a link or a folder.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn delete(&self, query: &DeleteQuery) -> Result<()> {
        let exchange = Exchange::new("deleting a file", Method::DELETE, address(CONTENT, query)?);
        self.exchange(exchange).await.map(drop)
    }

    /// Makes a folder. Whether it was not there.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn make_folder(&self, folder: &MakeFolder) -> Result<bool> {
        let exchange = Exchange::new("making a folder", Method::POST, format!("{PREFIX}{FOLDER}"));
        let written: Written = self.call(exchange.json(folder)?).await?;
        Ok(written.created)
    }

    /// Calls something differently, or moves it.
    ///
    /// # Errors
    /// See [`exchange`](Self::exchange).
    pub async fn rename(&self, rename: &Rename) -> Result<()> {
        let exchange = Exchange::new("renaming a file", Method::POST, format!("{PREFIX}{RENAME}"));
        self.exchange(exchange.json(rename)?).await.map(drop)
    }
}

/// A route of the workspace with its parameters.
fn address(route: &str, query: &impl Serialize) -> agent::Result<String> {
    Ok(format!("{PREFIX}{route}{}", query_string(query)?))
}

/// The first and the last byte of `bytes 2-4/10`, if they are in a file of this size.
fn part(range: &HeaderValue, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?.0.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < size).then_some((first, last))
}
