//! Reading the log from a cursor, and waiting for more.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Batch, CursorError, EventLog, frame};

/// Where a turn ends: set once, to the seq of its terminal event, before anyone can read that event.
pub(crate) type TurnMark = Arc<OnceLock<u64>>;

/// Reads frames in order, from a cursor on.
pub(crate) struct Follower {
    log: Arc<EventLog>,
    newest: watch::Receiver<u64>,
    cursor: u64,
    until: Option<TurnMark>,
    stop: CancellationToken,
}

impl Follower {
    /// Reads what comes after `after`: until the end of a turn, if one is given, and otherwise until `stop`, when what is
    /// there by then is still given.
    pub(crate) fn new(
        log: Arc<EventLog>,
        after: u64,
        until: Option<TurnMark>,
        stop: CancellationToken,
    ) -> Result<Self, CursorError> {
        log.read(after)?;
        let newest = log.subscribe();
        Ok(Self { log, newest, cursor: after, until, stop })
    }

    /// One or more whole frames; nothing when there will be no more, which is also so when this reader was too slow and
    /// what it would read next is gone. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let end = self.until.as_ref().and_then(|mark| mark.get().copied());
            if end.is_some_and(|end| self.cursor >= end) {
                return None;
            }
            let stopped = self.stop.is_cancelled();
            self.newest.mark_unchanged();
            let (mut frames, mut count) = self.read().await?;
            if count == 0 {
                if stopped {
                    return None;
                }
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            // The end is looked up again: the terminal event may be among what was just read.
            let end = self.until.as_ref().and_then(|mark| mark.get().copied());
            if let Some(end) = end.filter(|end| *end < self.cursor + count) {
                count = end - self.cursor;
                let mut after_end = frames.clone();
                frame::skip(&mut after_end, count);
                frames.truncate(frames.len() - after_end.len());
            }
            self.cursor += count;
            return Some(frames);
        }
    }

    async fn read(&self) -> Option<(Bytes, u64)> {
        match self.log.read(self.cursor).ok()? {
            Batch::Frames(frames) => {
                let count = frames.len() as u64;
                Some((join(frames), count))
            }
            Batch::Spilled(range) => {
                let read = tokio::task::spawn_blocking(move || range.read()).await.ok()?;
                match read {
                    Ok(frames) => {
                        let count = frame::count(&frames);
                        Some((frames, count))
                    }
                    Err(error) => {
                        tracing::error!(%error, "events that were kept on disk cannot be read");
                        None
                    }
                }
            }
        }
    }
}

/// One frame is passed on as it is; several are put together, so that a reader that catches up gets large pieces.
fn join(mut frames: Vec<Bytes>) -> Bytes {
    if frames.len() == 1 {
        return frames.swap_remove(0);
    }
    let mut joined = BytesMut::with_capacity(frames.iter().map(Bytes::len).sum());
    for frame in &frames {
        joined.extend_from_slice(frame);
    }
    joined.freeze()
}
