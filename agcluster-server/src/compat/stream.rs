//! A turn as a stream in another API's shape.

use agcluster_core::journal::{JournalError, Record};
use agcluster_core::protocol::Event;
use agcluster_core::session::Disposable;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::sync::Arc;

use super::failure;
use crate::Problem;
use crate::cursor::Cursor;
use crate::sse::{self, Frames};

/// What a stream says first where it has nothing to tell yet: clients wait for something before they say that they are connected.
const BEGUN: &[u8] = b": begun\n\n";

/// Puts the events of one turn into frames, the same from the same events.
pub(crate) trait Projection: Send + 'static {
    /// What comes first.
    fn begin(&mut self) -> Frames;

    /// The frames of the next event; none for one that has no place in this shape.
    fn read(&mut self, event: &Event) -> Frames;

    /// The last frames of a stream that cannot go on.
    fn broken(&mut self, problem: &Problem) -> Frames;
}

/// A turn to be streamed.
pub(crate) struct Source {
    /// Its records. From its beginning, unless each event's frames are made of that event alone.
    pub(crate) records: BoxStream<'static, Result<Arc<Record>, JournalError>>,
    /// The journal's cursor before the turn.
    pub(crate) after: u64,
    /// The last frame that the client has of it.
    pub(crate) cursor: Option<Cursor>,
    /// Whether it is over.
    pub(crate) over: bool,
    /// A session for this one answer, which is removed when it is over, or when nobody reads it any more.
    pub(crate) disposable: Option<Disposable>,
}

/// The stream of a turn, behind what the client has of it. 204 when it has all of it, which also keeps a browser from coming again.
pub(crate) async fn response(source: Source, projection: impl Projection) -> Response {
    let Source { records, after, cursor, over, disposable } = source;
    let ended = over && cursor.is_some();
    let mut telling =
        Telling { records, after, cursor, projection, begun: 0, ended, over: false, _disposable: disposable };
    let mut first = telling.begin();
    if ended && first.is_empty() {
        match telling.next().await {
            Some(frames) => first = frames,
            None => return StatusCode::NO_CONTENT.into_response(),
        }
    }
    if first.is_empty() {
        first = Bytes::from_static(BEGUN);
    }
    let rest = stream::unfold(telling, |mut telling| async move {
        let frames = telling.next().await?;
        Some((frames, telling))
    });
    sse::response(stream::iter([first]).chain(rest))
}

struct Telling<P> {
    records: BoxStream<'static, Result<Arc<Record>, JournalError>>,
    after: u64,
    cursor: Option<Cursor>,
    projection: P,
    /// How many frames there were before the first event.
    begun: u8,
    /// Whether the client may have the turn's end already.
    ended: bool,
    over: bool,
    _disposable: Option<Disposable>,
}

impl<P: Projection> Telling<P> {
    /// What comes first counts as the beginning of the event that comes first.
    fn begin(&mut self) -> Bytes {
        let frames = self.projection.begin();
        self.begun = frames.count();
        frames.before_event(self.after.saturating_add(1), self.cursor)
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            let frames = match self.records.next().await {
                Some(Ok(record)) => {
                    self.over = record.event.is_terminal();
                    let seq = record.seq();
                    let earlier = if seq == self.after.saturating_add(1) { self.begun } else { 0 };
                    self.projection.read(&record.event).of_event(seq, earlier, self.cursor)
                }
                Some(Err(error)) => {
                    self.over = true;
                    self.projection.broken(&error.into()).plain()
                }
                None if self.ended => return None,
                None => {
                    self.over = true;
                    self.projection.broken(&failure::cut_off()).plain()
                }
            };
            if !frames.is_empty() {
                return Some(frames);
            }
        }
        None
    }
}
