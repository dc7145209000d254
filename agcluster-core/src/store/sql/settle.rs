//! Putting recent events in their place, a part at a time, so that nobody who commits waits for long.

use std::time::Duration;

use tokio::time::Instant;

use super::commit::{put, row};
use super::heads::Head;
use super::statements::{EVENTS, HEADS};
use super::writing::Writing;
use super::{Arg, Connection, Driver, Inner};
use crate::session::SessionId;
use crate::store::Result;

/// The most events that one transaction settles.
const AT_ONCE: usize = 256;
/// The most rows that are taken out of a table at a time.
const CLEARED_AT_ONCE: i64 = 2_048;
/// The longest time from one of them to the next.
const PACE: Duration = Duration::from_millis(20);

impl<D: Driver> Inner<D> {
    /// Settles all that are recent now, twice as fast as they came, so that it is never felt as a burst, and is done before as
    /// many have come again.
    pub(super) async fn settle(&self, came_in: Duration) -> Result<()> {
        let mut writing = self.writing().await?;
        let begun = writing.change_heads(|heads| (heads.recent.events(), heads.recent.begin_to_settle()));
        writing.certain();
        let (events, mut sessions) = begun.unwrap_or_default();
        let parts = u32::try_from(events / AT_ONCE + 1).unwrap_or(u32::MAX);
        let pace = (came_in / 2 / parts).min(PACE);
        let mut next = Instant::now();
        while !sessions.is_empty() {
            let mut writing = self.writing().await?;
            writing.settle_some(&mut sessions).await?;
            let wants_tending = writing.connection()?.wants_tending();
            writing.certain();
            if wants_tending {
                self.tend().await?;
            }
            next = Instant::now().max(next + pace);
            tokio::time::sleep_until(next).await;
        }
        while self.clear_some().await? {
            next = Instant::now().max(next + pace);
            tokio::time::sleep_until(next).await;
        }
        Ok(())
    }

    /// Takes some rows out of the table of which everything is settled, and gives whether there may be more.
    async fn clear_some(&self) -> Result<bool> {
        let mut writing = self.writing().await?;
        // If the connection was lost meanwhile, it is not known of either table, and nothing was begun since.
        let mut more = false;
        if let Some(table) = writing.heads(|heads| Ok(heads.recent.settled_table()))? {
            let rows = Arg::Int(CLEARED_AT_ONCE);
            more = writing.connection()?.execute(table.clear_some(), &[rows]).await? > 0;
            if !more {
                writing.change_heads(|heads| heads.recent.end_settling());
            }
        }
        writing.certain();
        Ok(more)
    }
}

/// What one session's part of a transaction comes to.
struct Part {
    session: SessionId,
    row: Head,
    many: usize,
}

impl<D: Driver> Writing<'_, D> {
    /// Settles some events of the last of these sessions, and takes away those that have no more. When it fails, the end is
    /// not certain.
    pub(super) async fn settle_some(&mut self, sessions: &mut Vec<SessionId>) -> Result<()> {
        let (mut parts, mut records) = (Vec::new(), Vec::new());
        self.heads(|heads| {
            while records.len() < AT_ONCE
                && let Some(session) = sessions.last()
            {
                let Some(unsettled) = heads.recent.get(session) else {
                    sessions.pop();
                    continue;
                };
                let before = records.len();
                let mut end = unsettled.row;
                for record in unsettled.records.iter().take(AT_ONCE - before) {
                    end.append(record);
                    records.push((end.key, record.clone()));
                }
                let many = records.len() - before;
                let all = many == unsettled.records.len();
                parts.push(Part { session: session.clone(), row: end, many });
                if all {
                    sessions.pop();
                }
            }
            Ok(())
        })?;
        if parts.is_empty() {
            return Ok(());
        }
        let bodies: Vec<_> = records.iter().map(|(_, record)| record.json()).collect();
        let mut events = Vec::with_capacity(records.len() * EVENTS.kinds.len());
        for ((key, record), body) in records.iter().zip(&bodies) {
            events.extend(row(*key, record, body)?);
        }
        let mut heads = Vec::with_capacity(parts.len() * HEADS.kinds.len());
        for part in &parts {
            heads.extend(part.row.row()?);
        }
        put(self.connection()?, [(&HEADS, heads), (&EVENTS, events)]).await?;
        self.change_heads(|heads| {
            for Part { session, row, many } in parts {
                heads.recent.settled(&session, row, many);
            }
        });
        Ok(())
    }

    /// Settles all of these sessions' events.
    pub(super) async fn settle_all(&mut self, mut sessions: Vec<SessionId>) -> Result<()> {
        while !sessions.is_empty() {
            self.settle_some(&mut sessions).await?;
        }
        Ok(())
    }

    /// Settles some, when they come faster than they are settled behind the scenes.
    pub(super) async fn keep_pace(&mut self) -> Result<()> {
        if self.heads(|heads| Ok(heads.recent.is_too_much()))? {
            let mut sessions = self.heads(|heads| Ok(heads.recent.sessions()))?;
            self.settle_some(&mut sessions).await?;
        }
        Ok(())
    }
}
