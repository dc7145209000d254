//! Frames that are kept for a while, so that a reader who broke off can go on where it did.
//!
//! What somebody has read is kept as long as there is room; what nobody has read yet is waited with, or dropped, as whoever
//! writes wants it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agcluster_protocol::workspace::{CURSOR_EXPIRED, CURSOR_IN_FUTURE, Place, Placed};
use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http::Refusal;

/// A stream of frames, of which the newest are kept.
#[derive(Debug)]
pub(super) struct Kept<T> {
    epoch: u64,
    most: usize,
    state: Mutex<State<T>>,
    /// Moves with everything that is written; whoever reads has a receiver.
    written: watch::Sender<()>,
    /// Moves with everything that is read.
    read: watch::Sender<()>,
    /// Nothing follows.
    over: CancellationToken,
}

#[derive(Debug)]
struct State<T> {
    /// The frames with their sizes.
    frames: VecDeque<(T, usize)>,
    bytes: usize,
    /// The number of the newest frame.
    newest: u64,
    /// The number of the newest that somebody has read.
    seen: u64,
}

impl<T> State<T> {
    /// The number of the newest frame that is not kept any more.
    fn dropped(&self) -> u64 {
        self.newest - u64::try_from(self.frames.len()).unwrap_or_default()
    }
}

/// What a reader comes upon.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// The next frame.
    Frame(Placed<T>),
    /// Frames were dropped before it read them. It goes on with those that are kept.
    Lost(Place),
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// Keeps frames of about so many bytes, of which half may be [unread](Self::room).
    pub(super) fn new(most: usize) -> Self {
        let state = State { frames: VecDeque::new(), bytes: 0, newest: 0, seen: 0 };
        let epoch = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        Self {
            epoch,
            most,
            state: Mutex::new(state),
            written: watch::Sender::default(),
            read: watch::Sender::default(),
            over: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which stream it is.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    fn place(&self, number: u64) -> Place {
        Place { epoch: self.epoch, number }
    }

    /// Writes a frame, and drops the oldest ones for it.
    pub(super) fn write(&self, frame: T, size: usize) {
        let mut state = self.state();
        state.newest += 1;
        state.bytes += size;
        state.frames.push_back((frame, size));
        while state.bytes > self.most && state.frames.len() > 1 {
            let Some((_, size)) = state.frames.pop_front() else { break };
            state.bytes -= size;
        }
        drop(state);
        self.written.send_replace(());
    }

    /// Waits until what nobody has read yet leaves room for a frame of this size.
    pub(super) async fn room(&self, size: usize) {
        let mut read = self.read.subscribe();
        while !self.has_room(size) {
            // The sender is held here.
            if read.changed().await.is_err() {
                return;
            }
        }
    }

    fn has_room(&self, size: usize) -> bool {
        let state = self.state();
        let unread = usize::try_from(state.newest - state.seen).unwrap_or(usize::MAX);
        let bytes: usize = state.frames.iter().rev().take(unread).map(|(_, size)| size).sum();
        bytes == 0 || bytes + size <= self.most / 2
    }

    /// Nothing follows.
    pub(super) fn end(&self) {
        self.over.cancel();
        self.written.send_replace(());
    }

    /// Waits until nothing follows.
    pub(super) async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// Whether nothing follows.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Whether somebody reads.
    pub(super) fn is_read(&self) -> bool {
        self.written.receiver_count() > 0
    }

    /// Waits until nobody has read for so long.
    pub(super) async fn abandoned(&self, limit: Duration) {
        let mut read = self.read.subscribe();
        loop {
            self.written.closed().await;
            // A reader that comes says so.
            read.mark_unchanged();
            if !self.is_read()
                && tokio::time::timeout(limit, read.changed()).await.is_err()
                && !self.is_read()
            {
                return;
            }
        }
    }

    /// Where a reader who has this place goes on; where it has none, before the first frame.
    ///
    /// # Errors
    /// When what follows is not kept any more, and when there is no such place yet.
    pub(super) fn behind(&self, after: Option<Place>) -> Result<u64, Refusal> {
        let after = after
            .map_or(Ok(0), |place| if place.epoch == self.epoch { Ok(place.number) } else { Err(gone()) })?;
        let state = self.state();
        if after > state.newest {
            let detail =
                format!("there is no {} yet, the newest is {}", self.place(after), self.place(state.newest));
            return Err(Refusal::new(CURSOR_IN_FUTURE, detail));
        }
        if after < state.dropped() {
            let oldest = self.place(state.dropped());
            let detail =
                format!("what follows is no longer kept: read on behind {oldest}, which is the oldest place");
            return Err(Refusal::new(CURSOR_EXPIRED, detail));
        }
        Ok(after)
    }

    /// What follows this number, until it has ended. The reader is there from this call on.
    pub(super) fn follow(self: &Arc<Self>, after: u64) -> impl Stream<Item = Read<T>> + Send + use<T> {
        let written = self.written.subscribe();
        self.read.send_replace(());
        let reader = Reader { kept: self.clone(), written, after };
        stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) })
    }
}

/// That a place is of a stream that is not there any more.
pub(super) fn gone() -> Refusal {
    Refusal::new(
        CURSOR_EXPIRED,
        "this stream is not kept any more: begin a new one, without a place to go on from",
    )
}

struct Reader<T> {
    kept: Arc<Kept<T>>,
    written: watch::Receiver<()>,
    after: u64,
}

impl<T: Clone + Send + Sync + 'static> Reader<T> {
    async fn next(&mut self) -> Option<Read<T>> {
        loop {
            self.written.mark_unchanged();
            let over = self.kept.over.is_cancelled();
            {
                let mut state = self.kept.state();
                let dropped = state.dropped();
                if self.after < dropped {
                    self.after = dropped;
                    return Some(Read::Lost(self.kept.place(dropped)));
                }
                let index = usize::try_from(self.after - dropped).unwrap_or(usize::MAX);
                if let Some((frame, _)) = state.frames.get(index) {
                    let frame = frame.clone();
                    self.after += 1;
                    state.seen = state.seen.max(self.after);
                    drop(state);
                    self.kept.read.send_replace(());
                    return Some(Read::Frame(Placed { frame, place: Some(self.kept.place(self.after)) }));
                }
                if over {
                    return None;
                }
            }
            self.written.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn numbers(read: Vec<Read<u32>>) -> Vec<u32> {
        let number = |read| match read {
            Read::Frame(placed) => placed.frame,
            Read::Lost(place) => panic!("lost up to {place}"),
        };
        read.into_iter().map(number).collect()
    }

    fn code<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> String {
        refused.unwrap_err().into_problem().code
    }

    #[tokio::test]
    async fn a_reader_goes_on_behind_any_frame() {
        let kept = Arc::new(Kept::new(100));
        (1..=10).for_each(|frame| kept.write(frame, 1));
        kept.end();
        for after in 0..=10_u32 {
            let from = kept.behind(Some(kept.place(after.into()))).unwrap();
            assert_eq!(numbers(kept.follow(from).collect().await), (after + 1..=10).collect::<Vec<_>>());
        }
        assert_eq!(code(kept.behind(Some(kept.place(11)))), CURSOR_IN_FUTURE);
        let other = Place { epoch: kept.epoch + 1, number: 1 };
        assert_eq!(code(kept.behind(Some(other))), CURSOR_EXPIRED);
    }

    #[tokio::test]
    async fn only_so_much_is_kept_and_what_is_lost_is_told() {
        let kept = Arc::new(Kept::new(30));
        let mut slow = Box::pin(kept.follow(0));
        (1..=10).for_each(|frame| kept.write(frame, 10));
        assert_eq!(kept.behind(Some(kept.place(7))).unwrap(), 7);
        assert_eq!(code(kept.behind(Some(kept.place(6)))), CURSOR_EXPIRED);
        assert_eq!(code(kept.behind(None)), CURSOR_EXPIRED);
        assert_eq!(slow.next().await, Some(Read::Lost(kept.place(7))));
        kept.end();
        assert_eq!(numbers(slow.collect().await), [8, 9, 10]);
    }

    #[tokio::test]
    async fn room_is_what_somebody_has_read() {
        let kept = Arc::new(Kept::new(60));
        for frame in 1..=3_u32 {
            kept.room(10).await;
            kept.write(frame, 10);
        }
        assert!(kept.room(10).now_or_never().is_none());
        let mut reader = Box::pin(kept.follow(0));
        assert!(kept.room(10).now_or_never().is_none(), "a reader has to read");
        reader.next().await;
        kept.room(10).await;
        assert!(kept.room(20).now_or_never().is_none());
    }

    #[tokio::test]
    async fn it_is_abandoned_when_nobody_reads() {
        let kept = Arc::new(Kept::<u32>::new(30));
        let reader = Box::pin(kept.follow(0));
        let abandoned = kept.abandoned(Duration::ZERO);
        tokio::pin!(abandoned);
        assert!(abandoned.as_mut().now_or_never().is_none());
        let again = Box::pin(kept.follow(0));
        drop(reader);
        assert!(abandoned.as_mut().now_or_never().is_none(), "another one reads");
        drop(again);
        abandoned.await;
    }
}
