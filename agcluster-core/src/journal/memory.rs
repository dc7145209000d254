//! A journal that lives as long as its process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Entry, Head, Journal, JournalError, Record, Result};
use crate::session::SessionId;

/// How long those who still read a removed session may take to read how it ended.
const LAST_READERS: Duration = Duration::from_secs(60);

/// How much of each session is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The most bytes, counted as rendered JSON. The newest event is always kept.
    pub max_bytes: usize,
    /// The most events.
    pub max_events: usize,
}

impl Default for Retention {
    /// 16 MiB and 100 000 events.
    fn default() -> Self {
        Self { max_bytes: 16 << 20, max_events: 100_000 }
    }
}

/// A journal in memory. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    retention: Retention,
    sessions: Arc<RwLock<HashMap<SessionId, Arc<Log>>>>,
}

#[derive(Debug)]
struct Log {
    kept: Mutex<Kept>,
    head: watch::Sender<Head>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl MemoryJournal {
    /// A journal that keeps so much of each session.
    pub fn new(retention: Retention) -> Self {
        Self { retention, sessions: Arc::default() }
    }

    fn forget(&self, session: &SessionId) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    fn log(&self, session: &SessionId) -> Result<Arc<Log>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).cloned().ok_or_else(|| JournalError::UnknownSession(session.clone()))
    }
}

impl Log {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn trim(&mut self, retention: Retention) {
        while self.records.len() > 1
            && (self.bytes > retention.max_bytes || self.records.len() > retention.max_events)
        {
            if let Some(oldest) = self.records.pop_front() {
                self.bytes -= oldest.json().len();
            }
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn open(&self, session: &SessionId) -> Result<()> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(session.clone()).or_insert_with(|| {
            Arc::new(Log { kept: Mutex::default(), head: watch::Sender::new(Head::default()) })
        });
        Ok(())
    }

    async fn append(&self, session: &SessionId, entries: Vec<Entry>) -> Result<u64> {
        let log = self.log(session)?;
        let seq = {
            let mut kept = log.kept();
            let mut seq = log.head.borrow().seq;
            for entry in entries {
                seq += 1;
                let record = Arc::new(Record::new(seq, entry));
                kept.bytes += record.json().len();
                kept.records.push_back(record);
            }
            kept.trim(self.retention);
            log.head.send_modify(|head| head.seq = seq);
            seq
        };
        Ok(seq)
    }

    async fn read(&self, session: &SessionId, after: u64, limit: usize) -> Result<Vec<Arc<Record>>> {
        let log = self.log(session)?;
        let kept = log.kept();
        let head = log.head.borrow().seq;
        if after > head {
            return Err(JournalError::CursorInFuture { cursor: after, head });
        }
        let earliest = kept.records.front().map_or(head + 1, |record| record.seq());
        let Some(skip) = (after + 1).checked_sub(earliest) else {
            return Err(JournalError::CursorExpired { earliest });
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(kept.records.iter().skip(skip).take(limit).cloned().collect())
    }

    fn head(&self, session: &SessionId) -> Result<watch::Receiver<Head>> {
        Ok(self.log(session)?.head.subscribe())
    }

    async fn close(&self, session: &SessionId) -> Result<()> {
        if let Ok(log) = self.log(session) {
            log.head.send_modify(|head| head.closed = true);
        }
        Ok(())
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        self.close(session).await?;
        let Ok(log) = self.log(session) else { return Ok(()) };
        if log.head.receiver_count() == 0 {
            self.forget(session);
            return Ok(());
        }
        let (journal, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(LAST_READERS, log.head.closed()).await;
            journal.forget(&session);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
