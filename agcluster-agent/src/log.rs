//! The event log: numbered events, kept for those who read late.
//!
//! Each event is rendered once, as the server-sent-event frame that every reader gets, and is shared from then on. The
//! newest frames are held in memory, older ones in files without names, the oldest are dropped. Readers read by
//! cursor: none of them is known to the log, so none can hold up the agent.
//!
//! When events are acknowledged, none is dropped before it is: there may be more on disk then, up to a bound, and whoever
//! writes waits for [`EventLog::room`] beyond it. Of those that are, little stays in memory.

mod frame;
mod reader;
mod spill;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agcluster_protocol::{Event, EventsLiveness};
use bytes::Bytes;
use tokio::sync::{Notify, watch};

pub(crate) use reader::{Follower, TurnMark};
use spill::{Spill, SpilledRange};

use crate::ReplayLimits;

/// The most bytes of frames that one read gives, unless a single frame is larger.
const READ_BYTES: usize = 64 * 1024;
/// So many bytes stay in memory when they are acknowledged, for whoever reads late.
const ACKNOWLEDGED: usize = 64 * 1024;
/// How long it takes until a disk that was full is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why a cursor cannot be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CursorError {
    #[error("the events after {after} have left the replay buffer; the oldest cursor is {oldest}")]
    Expired { after: u64, oldest: u64 },
    #[error("the cursor {after} is beyond the newest event, which is {newest}")]
    Future { after: u64, newest: u64 },
}

/// What one read gives: frames in memory, or where to find them in a file.
pub(crate) enum Batch {
    Frames(Vec<Bytes>),
    Spilled(SpilledRange),
}

pub(crate) struct EventLog {
    state: Mutex<State>,
    newest: watch::Sender<u64>,
    acknowledged: Notify,
}

struct State {
    limits: ReplayLimits,
    /// The frames in memory; the first has the seq `recent_first`, the others follow without gaps.
    recent: VecDeque<Bytes>,
    recent_first: u64,
    recent_bytes: usize,
    spill: Spill,
    /// Whether the disk took the last frames it was given.
    spills: bool,
    /// Up to which event all are acknowledged, when they will be.
    acknowledged: Option<u64>,
}

impl EventLog {
    pub(crate) fn new(limits: ReplayLimits) -> Self {
        let spill = Spill::new(
            limits.directory.clone(),
            limits.total_bytes.saturating_sub(limits.memory_bytes as u64),
        );
        let state = State {
            limits,
            recent: VecDeque::new(),
            recent_first: 1,
            recent_bytes: 0,
            spill,
            spills: true,
            acknowledged: None,
        };
        Self { state: Mutex::new(state), newest: watch::Sender::new(0), acknowledged: Notify::new() }
    }

    /// From now on nothing is dropped that is not acknowledged.
    pub(crate) fn keep_until_acknowledged(&self) {
        self.lock().acknowledged.get_or_insert(0);
    }

    /// Everything up to `seq` is in safe keeping elsewhere. A lower number than before changes nothing.
    pub(crate) fn acknowledge(&self, seq: u64) -> Result<(), CursorError> {
        let mut state = self.lock();
        let newest = state.next_seq() - 1;
        if seq > newest {
            return Err(CursorError::Future { after: seq, newest });
        }
        let acknowledged = state.acknowledged.get_or_insert(0);
        *acknowledged = seq.max(*acknowledged);
        let droppable = *acknowledged;
        state.spill.trim(droppable);
        state.forget(droppable);
        drop(state);
        self.acknowledged.notify_waiters();
        Ok(())
    }

    /// Waits while too much is kept that is not acknowledged, or while the disk does not take it.
    pub(crate) async fn room(&self) {
        loop {
            let acknowledged = self.acknowledged.notified();
            tokio::pin!(acknowledged);
            acknowledged.as_mut().enable();
            if self.lock().has_room() {
                return;
            }
            // Nobody tells when a disk has room again.
            let _ = tokio::time::timeout(LOOK_AGAIN, acknowledged).await;
        }
    }

    pub(crate) fn liveness(&self) -> EventsLiveness {
        let mut state = self.lock();
        EventsLiveness {
            newest: state.next_seq() - 1,
            acknowledged: state.acknowledged.unwrap_or_default(),
            held_back: !state.has_room(),
        }
    }

    /// Numbers an event and keeps it. The number that the event comes with is replaced.
    pub(crate) fn append(&self, mut event: Event) -> u64 {
        let mut state = self.lock();
        let seq = state.next_seq();
        event.seq = seq;
        state.push(frame::render(&event));
        drop(state);
        self.newest.send_replace(seq);
        seq
    }

    /// The seq of the newest event; 0 when there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.lock().next_seq() - 1
    }

    /// The frames after a cursor, at most about [`READ_BYTES`]; none when the cursor is the newest event's.
    pub(crate) fn read(&self, after: u64) -> Result<Batch, CursorError> {
        self.lock().read(after)
    }

    /// Every event that is still in memory.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn events(&self) -> Vec<Event> {
        let state = self.lock();
        state.recent.iter().map(|frame| frame::parse(frame)).collect()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves the state half changed, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_seq(&self) -> u64 {
        self.recent_first + self.recent.len() as u64
    }

    fn push(&mut self, frame: Bytes) {
        self.recent_bytes += frame.len();
        self.recent.push_back(frame);
        if self.recent_bytes > self.limits.memory_bytes {
            self.spill_oldest();
        }
    }

    /// Drops frames that are acknowledged from memory, but for the newest: they are in safe keeping, and there may be many agent
    /// servers on one machine.
    fn forget(&mut self, acknowledged: u64) {
        while self.recent_first <= acknowledged
            && self.recent_bytes > ACKNOWLEDGED
            && let Some(frame) = self.recent.pop_front()
        {
            self.recent_first += 1;
            self.recent_bytes -= frame.len();
        }
        self.recent.shrink_to(2 * self.recent.len());
    }

    /// Moves the older half of memory to the disk: half, so that it happens seldom and in large writes.
    fn spill_oldest(&mut self) {
        let keep = self.limits.memory_bytes / 2;
        let mut moved = Vec::new();
        let mut left = self.recent_bytes;
        while left > keep && moved.len() < self.recent.len() {
            let frame = &self.recent[moved.len()];
            left -= frame.len();
            moved.push(frame.clone());
        }
        self.spills = self.spill.push(self.recent_first, &moved, self.acknowledged.is_some()).is_ok();
        if !self.spills {
            let last = self.recent_first + moved.len() as u64 - 1;
            if self.acknowledged.is_some_and(|acknowledged| acknowledged < last) {
                // They stay in memory, and whoever writes has to wait.
                return;
            }
            // A log with a hole is worse than a short one.
            self.spill.clear();
        }
        self.recent.drain(..moved.len());
        self.recent_first += moved.len() as u64;
        self.recent_bytes = left;
        self.spill.trim(self.acknowledged.unwrap_or(u64::MAX));
    }

    fn has_room(&mut self) -> bool {
        let Some(acknowledged) = self.acknowledged else { return true };
        if !self.spills && self.recent_bytes > self.limits.memory_bytes {
            self.spill_oldest();
        }
        if !self.spills && self.recent_bytes > self.limits.memory_bytes {
            return false;
        }
        // As long as little is kept at all, it need not be looked at what of it is acknowledged.
        let kept = self.spill.bytes() + self.recent_bytes as u64;
        let most = self.limits.unacknowledged_bytes;
        kept <= most || self.spill.bytes_after(acknowledged) + self.recent_bytes_after(acknowledged) <= most
    }

    fn recent_bytes_after(&self, seq: u64) -> u64 {
        let from = (seq + 1).saturating_sub(self.recent_first) as usize;
        if from == 0 {
            return self.recent_bytes as u64;
        }
        self.recent.iter().skip(from).map(|frame| frame.len() as u64).sum()
    }

    fn read(&self, after: u64) -> Result<Batch, CursorError> {
        let newest = self.next_seq() - 1;
        if after > newest {
            return Err(CursorError::Future { after, newest });
        }
        if after + 1 >= self.recent_first {
            let from = (after + 1 - self.recent_first) as usize;
            return Ok(Batch::Frames(self.frames_from(from)));
        }
        match self.spill.find(after + 1) {
            Some(range) => Ok(Batch::Spilled(range)),
            None => {
                let oldest = self.spill.first_seq().unwrap_or(self.recent_first) - 1;
                Err(CursorError::Expired { after, oldest })
            }
        }
    }

    fn frames_from(&self, from: usize) -> Vec<Bytes> {
        let mut bytes = 0;
        let mut frames = Vec::new();
        for frame in self.recent.range(from..) {
            bytes += frame.len();
            if bytes > READ_BYTES && !frames.is_empty() {
                break;
            }
            frames.push(frame.clone());
        }
        frames
    }
}
