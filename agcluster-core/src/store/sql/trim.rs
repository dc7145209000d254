//! Dropping old events.

use jiff::Timestamp;

use super::heads::Head;
use super::value::{int, unreadable};
use super::{Arg, Connection, Driver, Inner, Row};
use crate::session::SessionId;
use crate::store::{Result, Retention};

/// The most events that one transaction drops, so that it holds up nobody for long.
const AT_ONCE: u64 = 2_000;

const OLDEST: &str =
    "SELECT seq, at, LENGTH(body) FROM events WHERE session = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
const DROP: &str = "DELETE FROM events WHERE session = $1 AND seq <= $2";
const NOTE: &str = "UPDATE heads SET earliest = $2, bytes = $3 WHERE session = $1";

impl<D: Driver> Inner<D> {
    pub(super) async fn trim(&self, session: &SessionId, retention: &Retention) -> Result<u64> {
        let oldest = retention.oldest(Timestamp::now());
        let surplus = |head: &Head| {
            let too_much = head.bytes > retention.max_bytes || head.events() > retention.max_events;
            head.events() > 1 && (too_much || oldest.is_some())
        };
        // Most sessions have nothing to drop: those need not wait for the writer.
        if self.heads(|heads| heads.get(session).is_some_and(surplus)) == Some(false) {
            return Ok(0);
        }
        let mut dropped = 0;
        // One first: where only age counts, most sessions have nothing that is old enough.
        let mut limit = 1;
        loop {
            let some = self.trim_some(session, retention, oldest, limit).await?;
            dropped += some;
            if some < limit {
                return Ok(dropped);
            }
            limit = AT_ONCE;
        }
    }

    async fn trim_some(
        &self,
        session: &SessionId,
        retention: &Retention,
        oldest: Option<Timestamp>,
        limit: u64,
    ) -> Result<u64> {
        let mut writing = self.writing().await?;
        writing.settle_all(vec![session.clone()]).await?;
        let Some(mut head) = writing.heads(|heads| Ok(heads.get(session).copied()))? else {
            writing.certain();
            return Ok(0);
        };
        let connection = writing.connection()?;
        let args = [Arg::Int(head.key), Arg::Int(int(head.earliest)?), Arg::Int(int(limit)?)];
        let rows = connection.fetch(OLDEST, &args).await?;
        let mut dropped = 0;
        for row in &rows {
            let (at, length) = check(row, &head)?;
            let needed =
                head.events() <= 1 || head.source.is_some_and(|source| source.place == head.earliest);
            let surplus = head.bytes > retention.max_bytes
                || head.events() > retention.max_events
                || oldest.is_some_and(|oldest| at < oldest.as_microsecond());
            if needed || !surplus {
                break;
            }
            head.earliest += 1;
            head.bytes = head.bytes.saturating_sub(length);
            dropped += 1;
        }
        if dropped > 0 {
            connection.begin().await?;
            connection.execute(DROP, &[Arg::Int(head.key), Arg::Int(int(head.earliest - 1)?)]).await?;
            let note = [Arg::Int(head.key), Arg::Int(int(head.earliest)?), Arg::Int(int(head.bytes)?)];
            connection.execute(NOTE, &note).await?;
            connection.commit().await?;
            writing.change_heads(|heads| heads.put(session.clone(), head));
        }
        writing.certain();
        Ok(dropped)
    }
}

/// When the oldest event happened, and its length.
fn check(row: &Row, head: &Head) -> Result<(i64, u64)> {
    if row.count(0)? != head.earliest {
        return Err(unreadable());
    }
    Ok((row.int(1)?, row.count(2)?))
}
