//! The ends of all sessions' events, as the database has them.

use std::collections::HashMap;

use super::reads::event;
use super::recent::Recent;
use super::value::{int, unreadable};
use super::{Arg, Connection};
use crate::journal::Record;
use crate::session::SessionId;
use crate::store::{Extent, Result};

const KEYS: &str = "SELECT COALESCE(MAX(key), 0) FROM (SELECT key FROM sessions UNION ALL SELECT session FROM discarded) AS used";
const HEADS: &str = "SELECT s.id, s.key, h.earliest, h.head, h.bytes, h.source_place, h.source_generation, h.source_seq \
    FROM sessions s JOIN heads h ON h.session = s.key";

const RECENT: &str = "SELECT r.session, r.seq, r.source_seq, r.body \
    FROM recent r JOIN heads h ON h.session = r.session WHERE r.seq > h.head ORDER BY r.session, r.seq";
/// The greatest key of any of these rows, also of those that are of nobody any more.
const RECENT_KEYS: &str = "SELECT COALESCE(MAX(session), 0) FROM recent";

/// The ends of all sessions' events.
#[derive(Debug, Default)]
pub(super) struct Heads {
    sessions: HashMap<SessionId, Head>,
    /// The greatest key that was given.
    last_key: i64,
    /// Events that are not in their place yet.
    pub(super) recent: Recent,
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
    /// Reads them in a transaction of their own, which waits for one that an earlier connection left unfinished. Writes
    /// nothing, so that a full disk keeps nobody from reading.
    pub(super) async fn load<C: Connection>(connection: &mut C) -> Result<Self> {
        connection.begin().await?;
        let mut heads = Self::read(connection).await?;
        if C::KEEPS_RECENT {
            heads.recall(connection).await?;
        }
        connection.commit().await?;
        Ok(heads)
    }

    async fn read(connection: &mut impl Connection) -> Result<Self> {
        let keys = connection.fetch(KEYS, &[]).await?;
        let rows = connection.fetch(HEADS, &[]).await?;
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
        Ok(Self { sessions, last_key, recent: Recent::default() })
    }

    /// Takes the events that are not in their place yet into memory again.
    async fn recall(&mut self, connection: &mut impl Connection) -> Result<()> {
        let keys = connection.fetch(RECENT_KEYS, &[]).await?;
        self.last_key = self.last_key.max(keys.first().ok_or_else(unreadable)?.int(0)?);
        let rows = connection.fetch(RECENT, &[]).await?;
        let by_key = self.sessions.iter_mut().map(|(id, head)| (head.key, (id, head)));
        let mut by_key: HashMap<i64, (&SessionId, &mut Head)> = by_key.collect();
        for mut row in rows {
            let (session, head) = by_key.get_mut(&row.int(0)?).ok_or_else(unreadable)?;
            if row.count(1)? != head.head + 1 {
                return Err(unreadable());
            }
            let record = event(&mut row, 1)?;
            let before = **head;
            head.append(&record);
            self.recent.push(session, before, record);
        }
        self.recent.may_be_stale();
        Ok(())
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
        self.recent.forget(session);
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
