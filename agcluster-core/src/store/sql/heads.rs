//! The ends of all sessions' events, as the database has them.

use std::collections::HashMap;

use super::value::{int, unreadable};
use super::{Arg, Connection};
use crate::journal::Record;
use crate::session::SessionId;
use crate::store::{Extent, Result};

const KEYS: &str = "SELECT COALESCE(MAX(key), 0) FROM (SELECT key FROM sessions UNION ALL SELECT session FROM discarded) AS used";
const HEADS: &str = "SELECT s.id, s.key, h.earliest, h.head, h.bytes, h.source_place, h.source_generation, h.source_seq \
    FROM sessions s JOIN heads h ON h.session = s.key";

/// The ends of all sessions' events.
#[derive(Debug, Default)]
pub(super) struct Heads {
    sessions: HashMap<SessionId, Head>,
    /// The greatest key that was given.
    last_key: i64,
}

/// The ends of one session's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The session's key in the database.
    pub(super) key: i64,
    /// The oldest event; one more than `head` when there is none.
    pub(super) earliest: u64,
    /// The newest event; 0 when there was none yet.
    pub(super) head: u64,
    /// The bytes of all bodies.
    pub(super) bytes: u64,
    /// The newest event that came from an agent server.
    pub(super) source: Option<Source>,
}

/// An event that came from an agent server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// Its place in the journal.
    pub(super) place: u64,
    /// Its generation.
    pub(super) generation: u32,
    /// Its number there.
    pub(super) seq: u64,
}

impl Heads {
    /// Reads them in a transaction of their own, which waits for one that an earlier connection left unfinished.
    pub(super) async fn load(connection: &mut impl Connection) -> Result<Self> {
        connection.begin().await?;
        let keys = connection.fetch(KEYS, &[]).await?;
        let rows = connection.fetch(HEADS, &[]).await?;
        connection.commit().await?;
        let last_key = keys.first().ok_or_else(unreadable)?.int(0)?;
        let mut sessions = HashMap::with_capacity(rows.len());
        for mut row in rows {
            let source = match (row.opt_int(5)?, row.opt_int(6)?, row.opt_int(7)?) {
                (Some(_), Some(generation), Some(_)) => Some(Source {
                    place: row.count(5)?,
                    generation: u32::try_from(generation).map_err(|_| unreadable())?,
                    seq: row.count(7)?,
                }),
                _ => None,
            };
            let head = Head {
                key: row.int(1)?,
                earliest: row.count(2)?,
                head: row.count(3)?,
                bytes: row.count(4)?,
                source,
            };
            sessions.insert(SessionId::from_text(row.text(0)?), head);
        }
        Ok(Self { sessions, last_key })
    }

    pub(super) fn get(&self, session: &SessionId) -> Option<&Head> {
        self.sessions.get(session)
    }

    pub(super) fn put(&mut self, session: SessionId, head: Head) {
        self.last_key = self.last_key.max(head.key);
        self.sessions.insert(session, head);
    }

    pub(super) fn remove(&mut self, session: &SessionId) {
        self.sessions.remove(session);
    }

    pub(super) fn last_key(&self) -> i64 {
        self.last_key
    }
}

impl Head {
    /// Of a session without events.
    pub(super) fn new(key: i64) -> Self {
        Self { key, earliest: 1, head: 0, bytes: 0, source: None }
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        (self.head + 1).saturating_sub(self.earliest)
    }

    /// Appends an event.
    pub(super) fn append(&mut self, record: &Record) {
        self.head = record.seq();
        self.bytes += record.json().len() as u64;
        if let Some(seq) = record.source_seq {
            self.source = Some(Source { place: record.seq(), generation: record.event.generation, seq });
        }
    }

    /// The row of it.
    pub(super) fn row(&self) -> Result<[Arg<'static>; 7]> {
        let source = self.source;
        let of = |value: Option<u64>| value.map(int).transpose().map(Arg::OptInt);
        Ok([
            Arg::Int(self.key),
            Arg::Int(int(self.earliest)?),
            Arg::Int(int(self.head)?),
            Arg::Int(int(self.bytes)?),
            of(source.map(|source| source.place))?,
            of(source.map(|source| source.generation.into()))?,
            of(source.map(|source| source.seq))?,
        ])
    }
}

impl From<&Head> for Extent {
    fn from(head: &Head) -> Self {
        Self {
            earliest: if head.events() == 0 { 0 } else { head.earliest },
            head: head.head,
            source: head.source.map(|source| (source.generation, source.seq)),
            bytes: head.bytes,
        }
    }
}
