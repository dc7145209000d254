//! Events as they come from an agent server, which may be hostile: bounded in size, bounded in silence.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use agcluster_protocol::Event;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use super::transport::Body;
use super::{AgentError, Result};

/// The largest event that is taken. A tool's result may be long, but not without bound.
const MAX_EVENT: usize = 32 << 20;
/// The agent server sends a comment every 15 s; after three missing ones the connection is held to be dead.
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// Events of one agent server, in order. Ends with an error, or when the agent server closes the stream.
pub struct EventStream {
    events: BoxStream<'static, Result<Event>>,
}

impl EventStream {
    pub(super) fn new(body: Body) -> Self {
        let unread = Arc::new(AtomicUsize::new(0));
        let counted = limit_silence(count(body, Arc::clone(&unread)));
        let events = sseer::EventStream::new(counted).map(move |item| {
            unread.store(0, Ordering::Relaxed);
            let event = item.map_err(|error| match error {
                sseer::errors::EventStreamError::Transport(error) => error,
                other => AgentError::Protocol(format!("the event stream cannot be read: {other}")),
            })?;
            serde_json::from_str(&event.data)
                .map_err(|error| AgentError::Protocol(format!("an event cannot be read: {error}")))
        });
        Self { events: events.boxed() }
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_next_unpin(cx)
    }
}

/// Fails a stream in which more than [`MAX_EVENT`] bytes come without an event being complete.
fn count(body: Body, unread: Arc<AtomicUsize>) -> impl Stream<Item = Result<Bytes>> + Send {
    body.map(move |piece| {
        let piece = piece?;
        if unread.fetch_add(piece.len(), Ordering::Relaxed) + piece.len() > MAX_EVENT {
            return Err(AgentError::Protocol(format!("an event is longer than {MAX_EVENT} bytes")));
        }
        Ok(piece)
    })
}

/// Fails a stream in which nothing comes for [`MAX_SILENCE`], and ends it after an error.
fn limit_silence(
    body: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> BoxStream<'static, Result<Bytes>> {
    // One timer for all pieces: each puts it off.
    let pieces = tokio_stream::StreamExt::timeout(body, MAX_SILENCE).boxed();
    futures::stream::unfold(Some(pieces), |pieces| async move {
        let mut pieces = pieces?;
        let silent = AgentError::Timeout { operation: "events", limit: MAX_SILENCE };
        let piece = pieces.next().await?.unwrap_or(Err(silent));
        let rest = piece.is_ok().then_some(pieces);
        Some((piece, rest))
    })
    .boxed()
}

/// Reads whatever bytes, in pieces of the length that the first of them says, and again in one piece: that makes no difference.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    let Some((length, data)) = data.split_first() else { return };
    let read = |length: usize| {
        let pieces: Vec<Result<Bytes>> =
            data.chunks(length).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let pieces = futures::stream::iter(pieces).boxed();
        let events: Vec<_> = crate::fuzzing::block_on(async { EventStream::new(pieces).collect().await });
        events.into_iter().map(|event| event.map_err(drop)).collect::<Vec<_>>()
    };
    assert_eq!(read(usize::from(*length).max(1)), read(data.len().max(1)));
}

#[cfg(test)]
mod tests;
