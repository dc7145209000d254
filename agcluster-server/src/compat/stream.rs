//! A turn as a stream in another API's shape.

use agcluster_core::journal::{JournalError, Record};
use agcluster_core::protocol::Event;
use agcluster_core::session::Disposable;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use std::sync::Arc;

use super::failure;
use crate::{Problem, sse};

/// Puts the events of one turn into frames.
pub(crate) trait Projection: Send + 'static {
    /// What comes first.
    fn begin(&mut self) -> Bytes;

    /// The frames of the next event; none for one that has no place in this shape.
    fn read(&mut self, event: &Event) -> Bytes;

    /// The last frames of a stream that cannot go on.
    fn broken(&mut self, problem: &Problem) -> Bytes;
}

enum State {
    Beginning,
    Reading,
    Over,
}

/// The stream of a turn. A session for this one answer is removed when it is over, or when nobody reads it any more.
pub(crate) fn response(
    records: impl Stream<Item = Result<Arc<Record>, JournalError>> + Send + 'static,
    projection: impl Projection,
    disposable: Option<Disposable>,
) -> Response {
    let telling =
        Telling { records: records.boxed(), projection, state: State::Beginning, _disposable: disposable };
    sse::response(futures::stream::unfold(telling, |mut telling| async move {
        let frames = telling.next().await?;
        Some((frames, telling))
    }))
}

struct Telling<P> {
    records: BoxStream<'static, Result<Arc<Record>, JournalError>>,
    projection: P,
    state: State,
    _disposable: Option<Disposable>,
}

impl<P: Projection> Telling<P> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.state {
                State::Over => return None,
                State::Beginning => {
                    self.state = State::Reading;
                    return Some(self.projection.begin());
                }
                State::Reading => {}
            }
            let frames = match self.records.next().await {
                Some(Ok(record)) => {
                    if record.event.is_terminal() {
                        self.state = State::Over;
                    }
                    self.projection.read(&record.event)
                }
                Some(Err(error)) => {
                    self.state = State::Over;
                    self.projection.broken(&error.into())
                }
                None => {
                    self.state = State::Over;
                    self.projection.broken(&failure::cut_off())
                }
            };
            if !frames.is_empty() {
                return Some(frames);
            }
        }
    }
}
