//! The questions a store answers.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::TurnId;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use super::heads::{Head, Heads};
use super::value::{int, unreadable};
use super::{Arg, Driver, Inner, Row, SqlStore};
use crate::journal::Record;
use crate::session::{Owner, SessionId, SessionRecord};
use crate::store::{
    AuditRecord, Change, ConfigRecord, Connections, Extent, IdempotencyRecord, Result, Retention, Store,
    TranscriptChunk, TurnRecord,
};

/// How long the work behind the scenes may take to come to a good end. A database that does not answer is not waited for.
const LAST_WORK: Duration = Duration::from_secs(5);

const LENGTHS: &str = "SELECT seq, LENGTH(body) FROM events \
    WHERE session = $1 AND seq > $2 ORDER BY seq LIMIT $3";
const EVENTS: &str = "SELECT seq, source_seq, body FROM events \
    WHERE session = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4";
const TURNS_OF_OWNER: &str =
    "SELECT record FROM turns WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const TURNS_OF_SESSION: &str = "SELECT record FROM turns \
    WHERE session = (SELECT key FROM sessions WHERE id = $4) AND owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const TRANSCRIPT: &str = "SELECT chunk FROM transcript \
    WHERE session = (SELECT key FROM sessions WHERE id = $1) ORDER BY seq";
const AUDIT: &str =
    "SELECT number, record FROM audit WHERE owner = $1 AND number < $2 ORDER BY number DESC LIMIT $3";

impl<D: Driver> Inner<D> {
    /// Looks at the ends of all sessions' events, which are read when they are not known.
    async fn look<T>(&self, look: impl Fn(&Heads) -> T + Send) -> Result<T> {
        if let Some(seen) = self.heads(&look) {
            return Ok(seen);
        }
        let writing = self.writing().await?;
        let seen = writing.heads(|heads| Ok(look(heads)));
        writing.certain();
        seen
    }

    /// A page of events that are in their place, the last of which is `settled`.
    async fn settled_events(
        &self,
        head: &Head,
        settled: u64,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Record>>> {
        let (after, limit) = (int(after)?, number(limit));
        let last = if head.bytes <= max_bytes as u64 {
            Some(int(settled)?)
        } else {
            self.last_that_fits(head.key, after, limit, max_bytes).await?
        };
        let Some(last) = last else { return Ok(Vec::new()) };
        let args = [Arg::Int(head.key), Arg::Int(after), Arg::Int(last), Arg::Int(limit)];
        let rows = self.driver.fetch(EVENTS, &args).await?;
        rows.into_iter().map(|mut row| event(&mut row, 0)).collect()
    }

    /// The last of the events after a cursor that fit into so many bytes.
    async fn last_that_fits(
        &self,
        key: i64,
        after: i64,
        limit: i64,
        max_bytes: usize,
    ) -> Result<Option<i64>> {
        let rows = self.driver.fetch(LENGTHS, &[Arg::Int(key), Arg::Int(after), Arg::Int(limit)]).await?;
        let (mut last, mut bytes) = (None, 0);
        for row in &rows {
            if bytes >= max_bytes.max(1) as u64 {
                break;
            }
            last = Some(row.int(0)?);
            bytes += row.count(1)?;
        }
        Ok(last)
    }
}

impl<D: Driver> SqlStore<D> {
    async fn records<T: serde::de::DeserializeOwned>(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<T>> {
        let rows = self.inner.driver.fetch(sql, args).await?;
        rows.into_iter().map(|mut row| row.json(0)).collect()
    }
}

#[async_trait]
impl<D: Driver> Store for SqlStore<D> {
    async fn commit(&self, changes: &[Change]) -> Result<()> {
        self.inner.commit(changes).await
    }

    fn connections(&self) -> Connections {
        self.inner.driver.readers()
    }

    async fn events(
        &self,
        session: &SessionId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Record>>> {
        let (mut page, mut after, mut bytes) = (Vec::new(), after, 0);
        // Events in their place, then recent ones; and again those that were put in their place meanwhile.
        while page.len() < limit && (page.is_empty() || bytes < max_bytes) {
            let (limit, max_bytes) = (limit - page.len(), max_bytes - bytes);
            let seen = self.inner.look(|heads| {
                let head = *heads.get(session)?;
                let Some(unsettled) = heads.recent.get(session) else { return Some((head, head.head, None)) };
                Some((head, unsettled.row.head, unsettled.page(after, limit, max_bytes)))
            });
            let Some((head, settled, recent)) = seen.await? else { break };
            let is_last = recent.is_some() || after >= settled;
            let some = match recent {
                Some(recent) => recent,
                None if is_last => Vec::new(),
                None => self.inner.settled_events(&head, settled, after, limit, max_bytes).await?,
            };
            bytes += some.iter().map(|record| record.json().len()).sum::<usize>();
            let Some(last) = some.last() else { break };
            after = last.seq();
            page.extend(some);
            if is_last {
                break;
            }
        }
        Ok(page)
    }

    async fn extent(&self, session: &SessionId) -> Result<Extent> {
        self.inner.look(|heads| heads.get(session).map_or_else(Extent::default, Extent::from)).await
    }

    async fn trim(&self, session: &SessionId, retention: &Retention) -> Result<u64> {
        self.inner.trim(session, retention).await
    }

    async fn sessions(&self) -> Result<Vec<SessionRecord>> {
        self.records("SELECT record FROM sessions", &[]).await
    }

    async fn open_turns(&self) -> Result<Vec<TurnRecord>> {
        self.records("SELECT record FROM turns WHERE open = 1 ORDER BY id", &[]).await
    }

    async fn turn(&self, id: TurnId) -> Result<Option<TurnRecord>> {
        let args = [Arg::Blob(id.0.as_bytes())];
        Ok(self.records("SELECT record FROM turns WHERE id = $1", &args).await?.pop())
    }

    async fn turns(
        &self,
        owner: &Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>> {
        let owner = owner.to_hex();
        let before = before.map_or([0xff; 16], |before| *before.0.as_bytes());
        let args = [Arg::Text(&owner), Arg::Blob(&before), Arg::Int(number(limit))];
        match session {
            None => self.records(TURNS_OF_OWNER, &args).await,
            Some(session) => {
                let [owner, before, limit] = args;
                let args = [owner, before, limit, Arg::Text(session.as_str())];
                self.records(TURNS_OF_SESSION, &args).await
            }
        }
    }

    async fn transcript(&self, session: &SessionId) -> Result<Vec<TranscriptChunk>> {
        self.records(TRANSCRIPT, &[Arg::Text(session.as_str())]).await
    }

    async fn idempotency(&self, owner: &Owner, key: &str) -> Result<Option<IdempotencyRecord>> {
        let owner = owner.to_hex();
        let sql = "SELECT record FROM idempotency WHERE owner = $1 AND key = $2";
        Ok(self.records(sql, &[Arg::Text(&owner), Arg::Text(key)]).await?.pop())
    }

    async fn configs(&self) -> Result<Vec<ConfigRecord>> {
        self.records("SELECT record FROM configs ORDER BY owner, id", &[]).await
    }

    async fn audit(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, AuditRecord)>> {
        let owner = owner.to_hex();
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let args = [Arg::Text(&owner), Arg::Int(before), Arg::Int(number(limit))];
        let rows = self.inner.driver.fetch(AUDIT, &args).await?;
        rows.into_iter().map(|mut row| Ok((row.count(0)?, row.json(1)?))).collect()
    }

    async fn meta(&self, key: &str) -> Result<Option<String>> {
        let rows =
            self.inner.driver.fetch("SELECT value FROM meta WHERE key = $1", &[Arg::Text(key)]).await?;
        rows.into_iter().next().map(|mut row| row.text(0)).transpose()
    }

    async fn close(&self) {
        if let Some(mut upkeep) = self.end_upkeep()
            && timeout(LAST_WORK, &mut upkeep).await.is_err()
        {
            upkeep.abort();
            // It was told to end, and tells nothing.
            let _ = upkeep.await;
        }
        self.inner.end_writing().await;
        self.inner.driver.close().await;
    }
}

/// A limit as databases have it.
fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The event in a row: its number in the column `first`, and then the agent server's number and its body.
pub(super) fn event(row: &mut Row, first: usize) -> Result<Arc<Record>> {
    let source = row.opt_int(first + 1)?.map(u64::try_from).transpose().map_err(|_| unreadable())?;
    let body = Bytes::from(row.blob(first + 2)?);
    let record = Record::from_json(source, body).map_err(|_| unreadable())?;
    if record.seq() != row.count(first)? {
        return Err(unreadable());
    }
    Ok(Arc::new(record))
}
