//! The event log: numbered events, kept for those who read late.
//!
//! Each event is rendered once, as the server-sent-event frame that every reader gets, and is shared from then on. The
//! newest frames are held in memory, older ones in a file without a name, the oldest are dropped. Readers read by
//! cursor: none of them is known to the log, so none can hold up the agent.

mod frame;
mod reader;
mod spill;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agcluster_protocol::Event;
use bytes::Bytes;
use tokio::sync::watch;

pub(crate) use reader::{Follower, TurnMark};
use spill::{Spill, SpilledRange};

use crate::ReplayLimits;

/// The most bytes of frames that one read gives, unless a single frame is larger.
const READ_BYTES: usize = 64 * 1024;

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
}

struct State {
    limits: ReplayLimits,
    /// The frames in memory; the first has the seq `recent_first`, the others follow without gaps.
    recent: VecDeque<Bytes>,
    recent_first: u64,
    recent_bytes: usize,
    spill: Spill,
}

impl EventLog {
    pub(crate) fn new(limits: ReplayLimits) -> Self {
        let spill = Spill::new(
            limits.directory.clone(),
            limits.total_bytes.saturating_sub(limits.memory_bytes as u64),
        );
        let state = State { limits, recent: VecDeque::new(), recent_first: 1, recent_bytes: 0, spill };
        Self { state: Mutex::new(state), newest: watch::Sender::new(0) }
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
    #[cfg(test)]
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

    /// Moves the older half of memory to the file: half, so that it happens seldom and in large writes.
    fn spill_oldest(&mut self) {
        let keep = self.limits.memory_bytes / 2;
        let mut moved = Vec::new();
        let mut left = self.recent_bytes;
        while left > keep && moved.len() < self.recent.len() {
            let frame = &self.recent[moved.len()];
            left -= frame.len();
            moved.push(frame.clone());
        }
        self.spill.push(self.recent_first, &moved);
        self.recent.drain(..moved.len());
        self.recent_first += moved.len() as u64;
        self.recent_bytes = left;
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
