//! What is held in memory of one session's events: where they end, and the newest for those who follow.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, watch};

use super::{Head, Record};
use crate::session::SessionId;
use crate::store::{self, Store};

/// The most that is held for those who follow, while somebody does. Whoever is further behind reads from the store.
const TAIL_RECORDS: usize = 64;
const TAIL_BYTES: usize = 64 << 10;

/// One session's events, as far as memory knows them.
#[derive(Debug, Default)]
pub(super) struct Log {
    loaded: OnceCell<()>,
    head: watch::Sender<Head>,
    tail: Mutex<Tail>,
    /// Bytes that were appended since the store was last trimmed.
    untrimmed: AtomicU64,
}

#[derive(Debug, Default)]
struct Tail {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl Log {
    /// Nothing is in the store yet.
    pub(super) fn begin(&self) {
        let _ = self.loaded.set(());
    }

    /// Finds out where the events end, the first time.
    pub(super) async fn load(&self, store: &dyn Store, session: &SessionId) -> store::Result<()> {
        let load = || async {
            let extent = store.extent(session).await?;
            self.head.send_modify(|head| head.seq = extent.head);
            self.untrimmed.store(extent.bytes, Ordering::Relaxed);
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.map(drop)
    }

    pub(super) fn head(&self) -> Head {
        *self.head.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// The head, for somebody who reads whatever it moves over.
    pub(super) fn follow(self: Arc<Self>) -> Follow {
        Follow { head: self.subscribe(), log: self }
    }

    /// Shows what has been committed. Gives the bytes that were appended since the last trim.
    pub(super) fn show(&self, records: Vec<Arc<Record>>) -> u64 {
        let Some(last) = records.last().map(|record| record.seq()) else {
            return self.untrimmed.load(Ordering::Relaxed);
        };
        let bytes: usize = records.iter().map(|record| record.json().len()).sum();
        {
            let mut tail = self.tail();
            if self.head.receiver_count() == 0 {
                *tail = Tail::default();
            } else {
                tail.push(records, bytes);
            }
        }
        self.head.send_modify(|head| head.seq = last);
        self.untrimmed.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64
    }

    /// Counts anew, from what a trim left.
    pub(super) fn trimmed(&self, left: u64) {
        self.untrimmed.store(left, Ordering::Relaxed);
    }

    /// What follows a cursor, when all of that is held here.
    pub(super) fn read_tail(&self, after: u64, limit: usize) -> Option<Vec<Arc<Record>>> {
        let tail = self.tail();
        let skip = (after + 1).checked_sub(tail.records.front()?.seq())?;
        let skip = usize::try_from(skip).ok()?;
        Some(tail.records.iter().skip(skip).take(limit).cloned().collect())
    }

    /// What the store no longer has is shown to nobody any more.
    pub(super) fn forget_before(&self, earliest: u64) {
        let mut tail = self.tail();
        while tail.records.front().is_some_and(|record| record.seq() < earliest) {
            tail.pop();
        }
    }

    pub(super) fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }

    /// Ends when nobody follows any more.
    pub(super) async fn unread(&self) {
        self.head.closed().await;
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Following. When the last one ends, nothing needs to be held any more.
pub(super) struct Follow {
    pub(super) head: watch::Receiver<Head>,
    log: Arc<Log>,
}

impl Follow {
    pub(super) fn log(&self) -> &Log {
        &self.log
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut tail = self.log.tail();
        if self.log.head.receiver_count() == 1 {
            *tail = Tail::default();
        }
    }
}

impl Tail {
    fn push(&mut self, records: Vec<Arc<Record>>, bytes: usize) {
        self.records.extend(records);
        self.bytes += bytes;
        while self.records.len() > 1 && (self.records.len() > TAIL_RECORDS || self.bytes > TAIL_BYTES) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(oldest) = self.records.pop_front() {
            self.bytes -= oldest.json().len();
        }
    }
}
