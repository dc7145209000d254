//! Putting recent events in their place, a part at a time, so that nobody who commits waits for long.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

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
/// From one part to the next, so many events come: half of those that a part settles, so that the rest of them becomes fewer.
const MEANWHILE: u64 = AT_ONCE as u64 / 2;
/// Or as long as this, where fewer come.
const LONGEST: Duration = Duration::from_millis(20);

impl<D: Driver> Inner<D> {
    /// Settles all that are recent now, so slowly that it is never felt as a burst, but faster than others come.
    pub(super) async fn settle(&self) -> Result<()> {
        let mut pace = Pace::new(self.came.subscribe());
        let mut writing = self.writing().await?;
        let begun = writing.change_heads(|heads| heads.recent.begin_to_settle());
        writing.certain();
        let mut sessions = begun.unwrap_or_default();
        while !sessions.is_empty() && !self.wakes.ending.is_cancelled() {
            let mut writing = self.writing().await?;
            writing.settle_some(&mut sessions).await?;
            writing.certain();
            pace.wait().await;
        }
        while !self.wakes.ending.is_cancelled() && self.clear_some().await? {
            pace.wait().await;
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

/// When the next part is to be settled.
struct Pace {
    came: watch::Receiver<u64>,
    enough: u64,
}

impl Pace {
    /// From now on, by how many events ever came.
    fn new(came: watch::Receiver<u64>) -> Self {
        let enough = *came.borrow();
        Self { came, enough }
    }

    /// Parts that took too long are made up for.
    async fn wait(&mut self) {
        let enough = self.enough + MEANWHILE;
        let came = timeout(LONGEST, self.came.wait_for(|came| *came >= enough)).await.is_ok();
        self.enough = if came { enough } else { *self.came.borrow() };
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
            let mut sessions = self.heads(|heads| Ok(heads.recent.fullest(AT_ONCE)))?;
            self.settle_some(&mut sessions).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_are_settled_for_each_that_comes_also_after_a_part_that_took_long() {
        let (came, seen) = watch::channel(1_000);
        let mut pace = Pace::new(seen);
        let begun = tokio::time::Instant::now();
        came.send_replace(1_000 + 3 * MEANWHILE);
        for _ in 0..3 {
            pace.wait().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        came.send_replace(1_000 + 4 * MEANWHILE - 1);
        let next = tokio::spawn(async move {
            pace.wait().await;
            begun.elapsed()
        });
        tokio::time::sleep(LONGEST / 2).await;
        came.send_replace(1_000 + 4 * MEANWHILE);
        assert_eq!(next.await.unwrap(), LONGEST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_none_come_a_part_is_settled_now_and_then() {
        let (came, seen) = watch::channel(1_000);
        let mut pace = Pace::new(seen);
        let begun = tokio::time::Instant::now();
        pace.wait().await;
        // What is counted anew after the connection was lost is fewer.
        came.send_replace(7);
        pace.wait().await;
        assert_eq!(begun.elapsed(), 2 * LONGEST);
        came.send_replace(7 + MEANWHILE);
        pace.wait().await;
        assert_eq!(begun.elapsed(), 2 * LONGEST);
    }
}
