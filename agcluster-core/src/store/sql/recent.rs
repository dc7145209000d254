//! The newest events, as long as they are not in their place.
//!
//! In `events` a session's events are together, which is how they are read. Where many sessions bring an event each, that
//! would make every one of them a page to write. A database that has it so takes them in the order in which they come, into
//! tables of their own, while they are kept in memory for whoever reads; later they are [settled](super::settle), many of a
//! session at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Bulk;
use super::heads::Head;
use super::statements::{RECENT_A, RECENT_B};
use crate::journal::Record;
use crate::session::SessionId;

/// So much is kept before it is settled: enough that each session has several, where there are many.
const EVENTS: usize = 16_384;
const BYTES: usize = 8 << 20;
/// Beyond so many times that, whoever commits settles some too.
const TOO_MUCH: usize = 4;

/// The tables of recent events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Table {
    #[default]
    A,
    B,
}

impl Table {
    /// How rows are put into it.
    pub(super) fn rows(self) -> &'static Bulk {
        match self {
            Self::A => &RECENT_A,
            Self::B => &RECENT_B,
        }
    }

    /// What takes its first rows out of it, so many at the most.
    pub(super) fn clear_some(self) -> &'static str {
        match self {
            Self::A => "DELETE FROM recent_a WHERE place < (SELECT MIN(place) FROM recent_a) + $1",
            Self::B => "DELETE FROM recent_b WHERE place < (SELECT MIN(place) FROM recent_b) + $1",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The events that are in these tables, except those that are settled.
#[derive(Debug, Default)]
pub(super) struct Recent {
    sessions: HashMap<SessionId, Unsettled>,
    events: usize,
    bytes: usize,
    /// All that ever came.
    came: u64,
    /// So many of them have left the tables.
    left: u64,
    /// The table that is filled.
    filled: Table,
    /// Whether the other one is being settled, and how many had come when that began.
    settling: Option<u64>,
    /// So many times one of the tables has to be emptied until no row of a session that is gone is left.
    stale: u8,
}

/// Those of one session.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// What the session's row in `heads` says.
    pub(super) row: Head,
    pub(super) records: VecDeque<Arc<Record>>,
}

impl Recent {
    /// Takes an event, which is the session's next. `head` was the end of its events before it.
    pub(super) fn push(&mut self, session: &SessionId, head: Head, record: Arc<Record>) {
        self.events += 1;
        self.bytes += record.json().len();
        self.came += 1;
        let unsettled = self.sessions.entry(session.clone());
        let unsettled = unsettled.or_insert_with(|| Unsettled { row: head, records: VecDeque::new() });
        unsettled.records.push_back(record);
    }

    /// A session's events that are not settled, if there are any.
    pub(super) fn get(&self, session: &SessionId) -> Option<&Unsettled> {
        self.sessions.get(session)
    }

    /// So many of a session's events are settled, and its row says so.
    pub(super) fn settled(&mut self, session: &SessionId, row: Head, many: usize) {
        let Some(unsettled) = self.sessions.get_mut(session) else { return };
        unsettled.row = row;
        for record in unsettled.records.drain(..many.min(unsettled.records.len())) {
            self.events -= 1;
            self.bytes -= record.json().len();
        }
        if unsettled.records.is_empty() {
            self.sessions.remove(session);
        }
    }

    /// Either table may have rows of sessions that are gone.
    pub(super) fn may_be_stale(&mut self) {
        self.stale = 2;
    }

    /// The session is gone.
    pub(super) fn forget(&mut self, session: &SessionId) {
        self.may_be_stale();
        if let Some(Unsettled { records, .. }) = self.sessions.remove(session) {
            self.events -= records.len();
            self.bytes -= records.iter().map(|record| record.json().len()).sum::<usize>();
        }
    }

    /// The sessions that have any.
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.sessions.keys().cloned().collect()
    }

    /// So many sessions that have the most, the one with the most last: putting many events of one in their place costs little
    /// more than putting one there.
    pub(super) fn fullest(&self, limit: usize) -> Vec<SessionId> {
        let mut all: Vec<_> = self.sessions.iter().map(|(id, of)| (of.records.len(), id)).collect();
        all.sort_unstable();
        let others = all.len().saturating_sub(limit);
        all.into_iter().skip(others).map(|(_, id)| id.clone()).collect()
    }

    /// How many events there ever were.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// The table that is filled.
    pub(super) fn filled(&self) -> Table {
        self.filled
    }

    /// Begins to settle, unless that was begun: from now on the other table is filled. Gives the sessions that have any.
    pub(super) fn begin_to_settle(&mut self) -> Vec<SessionId> {
        if self.settling.is_none() {
            self.settling = Some(self.came);
            self.filled = self.filled.other();
        }
        self.sessions()
    }

    /// The table of which everything is settled, when that was begun.
    pub(super) fn settled_table(&self) -> Option<Table> {
        self.settling.map(|_| self.filled.other())
    }

    /// That table is empty.
    pub(super) fn end_settling(&mut self) {
        self.left = self.settling.take().unwrap_or(self.left);
        self.stale = self.stale.saturating_sub(1);
    }

    /// Whether they should be settled, when so many ever came a while ago: there are many, or no more come, or some are of
    /// nobody any more.
    pub(super) fn should_settle(&self, came: u64) -> bool {
        self.is_much() || self.stale > 0 || (self.left < self.came && self.came == came)
    }

    /// Whether it is time to settle them.
    pub(super) fn is_much(&self) -> bool {
        self.events > EVENTS || self.bytes > BYTES
    }

    /// Whether they come faster than they are settled.
    pub(super) fn is_too_much(&self) -> bool {
        self.events > TOO_MUCH * EVENTS || self.bytes > TOO_MUCH * BYTES
    }
}

impl Unsettled {
    /// The events after a cursor, up to `limit`, and about `max_bytes`, but one at least, if there is one. None for a cursor
    /// before the first of them.
    pub(super) fn page(&self, after: u64, limit: usize, max_bytes: usize) -> Option<Vec<Arc<Record>>> {
        let skip = usize::try_from(after.checked_sub(self.row.head)?).ok()?;
        let mut room = max_bytes;
        let mut page = Vec::new();
        for record in self.records.iter().skip(skip).take(limit) {
            if room == 0 && !page.is_empty() {
                break;
            }
            room = room.saturating_sub(record.json().len());
            page.push(Arc::clone(record));
        }
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use agcluster_protocol::EventBody;

    use super::*;
    use crate::journal::Entry;

    #[test]
    fn the_fullest_sessions_are_found() {
        let mut recent = Recent::default();
        let session = |name: &str| SessionId::from_text(name.to_owned());
        let body = EventBody::TextDelta { block: 0, text: "x".to_owned() };
        for (name, many) in [("two", 2), ("four", 4), ("one", 1), ("three", 3)] {
            for seq in 1..=many {
                let record = Record::new(seq, Entry::own(1, None, body.clone()));
                recent.push(&session(name), Head::new(1), Arc::new(record));
            }
        }
        let names = |limit| -> Vec<_> { recent.fullest(limit).iter().map(ToString::to_string).collect() };
        assert_eq!(names(2), ["three", "four"]);
        assert_eq!(names(4), ["one", "two", "three", "four"]);
        assert_eq!(names(9), ["one", "two", "three", "four"]);
        assert!(names(0).is_empty());
    }
}
