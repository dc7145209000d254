//! The journal: everything that happened in a session, numbered without gaps. The only source of what clients see.
//!
//! Whatever is shown is in the store first. One task writes for all sessions, so that what comes at the same time shares one
//! commit. A reader brings a cursor and gets everything after it; it is never buffered for, so a slow one holds nobody up.

mod log;
mod record;
mod subscription;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

pub use record::{Entry, Record};
pub use subscription::subscribe;

use crate::session::SessionId;
use crate::store::{Change, Retention, Store, StoreError};
use log::Log;
pub(crate) use writer::{ShownWith, Writing};
use writer::{Work, Writer};

/// What a journal's method answers.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

/// How long somebody who waits for an answer waits for the store.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes that one read takes into memory for one reader.
const PAGE_BYTES: usize = 1 << 20;

/// Why a journal could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// What follows the cursor is no longer kept.
    #[error("events before {earliest} are no longer kept")]
    CursorExpired {
        /// The oldest event that is kept.
        earliest: u64,
    },
    /// The cursor is beyond the newest event.
    #[error("there is no event {cursor} yet, the newest is {head}")]
    CursorInFuture {
        /// What was asked for.
        cursor: u64,
        /// The newest event.
        head: u64,
    },
    /// The store behind the journal did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The newest event of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 when there is none yet.
    pub seq: u64,
    /// Nothing will follow.
    pub closed: bool,
}

/// How long a write may wait for a store that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A few seconds, for somebody who waits for an answer; after that the write may still be made. Refused at once
    /// while the store is known not to work.
    Short,
    /// Until it works again, for what must not be lost.
    Endless,
}

/// All sessions' events, over one store. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
    writer: Writer,
    retention: Retention,
    logs: Arc<RwLock<HashMap<SessionId, Arc<Log>>>>,
}

impl Journal {
    /// A journal over a store. Its writer runs on the tokio runtime that this is called in, until the last clone is gone
    /// and everything is written.
    pub fn new(store: Arc<dyn Store>, retention: Retention) -> Self {
        let writer = Writer::start(Arc::clone(&store), retention);
        Self { store, writer, retention, logs: Arc::default() }
    }

    /// The store, for reading. What is written goes through the journal, which keeps the order.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Drops what is no longer kept of a session's events, and gives how many those were. Whoever writes too much has it
    /// dropped at once; what becomes too old does so while nobody writes.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub async fn trim(&self, session: &SessionId) -> Result<u64> {
        let dropped = self.store.trim(session, &self.retention).await?;
        if dropped > 0 {
            self.log(session).await?.forget_before(self.store.extent(session).await?.earliest);
        }
        Ok(dropped)
    }

    /// Why the store does not work, while it does not.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.writer.trouble()
    }

    /// Waits for something that may itself wait for the store, but not for a store that does not work: while that is known,
    /// it is not even begun, and when it turns out, it is dropped.
    ///
    /// # Errors
    /// [`JournalError::Store`] while the store does not work.
    pub(crate) async fn while_it_works<T>(&self, doing: impl Future<Output = T>) -> Result<T> {
        let mut trouble = self.trouble();
        let why = async {
            let why = trouble.wait_for(Option::is_some).await;
            why.map_or_else(|_| "it is gone".to_owned(), |why| why.clone().unwrap_or_default())
        };
        tokio::select! {
            biased;
            why = why => Err(StoreError::Unavailable(why).into()),
            done = doing => Ok(done),
        }
    }

    /// Refuses while the store is known not to work.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub(crate) fn check(&self) -> Result<()> {
        match &*self.trouble().borrow() {
            Some(why) => Err(StoreError::Unavailable(why.clone()).into()),
            None => Ok(()),
        }
    }

    /// Answers when everything is shown that is in the database. Whoever looks there may see a commit sooner than it is; while
    /// the store does not work, there is nothing of that kind.
    pub(crate) async fn catch_up(&self) {
        let _ = self.commit(Vec::new(), Patience::Short).await;
    }

    /// How many writes wait for the next commit.
    pub fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Begins the events of a new session, of which the store has none.
    pub fn open(&self, session: &SessionId) {
        self.logs_mut(|logs| logs.entry(session.clone()).or_default().begin());
    }

    /// Appends entries in order, together with other changes, and gives the number of the last event. When it answers,
    /// all is kept, and only then readers see it. A dropped call may have appended all or nothing.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub async fn append(
        &self,
        session: &SessionId,
        entries: Vec<Entry>,
        changes: Vec<Change>,
        patience: Patience,
    ) -> Result<u64> {
        let log = self.log(session).await?;
        self.write(Work::new(session.clone(), log, entries, changes), patience).await
    }

    /// As [`append`](Self::append), for changes that are themselves shown, in one go with the events and by whoever shows
    /// those: also when nobody waits for the answer any more.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub(crate) async fn append_shown_with(
        &self,
        session: &SessionId,
        entries: Vec<Entry>,
        changes: Vec<Change>,
        shown_with: Box<dyn ShownWith>,
        patience: Patience,
    ) -> Result<()> {
        let log = self.log(session).await?;
        let work = Work::new(session.clone(), log, entries, changes).shown_with(shown_with);
        self.write(work, patience).await.map(drop)
    }

    /// As [`append`](Self::append) with endless patience, but answers when the entries have their place: what is appended
    /// afterwards follows them. Whoever writes on should wait for each to be done before the next, so that little is under way.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub(crate) async fn begin_to_append(
        &self,
        session: &SessionId,
        entries: Vec<Entry>,
        changes: Vec<Change>,
    ) -> Result<Writing> {
        let log = self.log(session).await?;
        Ok(self.writer.hand_over(Work::new(session.clone(), log, entries, changes)).await?)
    }

    /// Makes changes that bring no event. Without any, it answers when all that was begun before is done.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub async fn commit(&self, changes: Vec<Change>, patience: Patience) -> Result<()> {
        self.write(Work::changes(changes), patience).await.map(drop)
    }

    async fn write(&self, work: Work, patience: Patience) -> Result<u64> {
        let written = match patience {
            Patience::Endless => self.writer.write(work).await,
            Patience::Short => {
                self.check()?;
                let late = || {
                    let why = self.writer.trouble().borrow().clone();
                    why.unwrap_or_else(|| format!("it took longer than {} s", PATIENCE.as_secs()))
                };
                tokio::time::timeout(PATIENCE, self.writer.write(work))
                    .await
                    .unwrap_or_else(|_| Err(StoreError::Unavailable(late())))
            }
        };
        Ok(written?)
    }

    /// Up to `limit` records after a cursor, oldest first; fewer when they are large, none at the head.
    ///
    /// # Errors
    /// [`JournalError::CursorExpired`] and [`JournalError::CursorInFuture`].
    pub async fn read(&self, session: &SessionId, after: u64, limit: usize) -> Result<Vec<Arc<Record>>> {
        let log = self.log(session).await?;
        self.read_log(&log, session, after, limit).await
    }

    /// As [`read`](Self::read), by whoever has the session's log.
    async fn read_log(
        &self,
        log: &Log,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Record>>> {
        let head = log.head().seq;
        if after > head {
            return Err(JournalError::CursorInFuture { cursor: after, head });
        }
        if after == head || limit == 0 {
            return Ok(Vec::new());
        }
        if let Some(page) = log.read_tail(after, limit) {
            return Ok(page);
        }
        let page = self.store.events(session, after, limit, PAGE_BYTES).await?;
        match page.first() {
            Some(first) if first.seq() == after + 1 => Ok(page),
            Some(first) => Err(JournalError::CursorExpired { earliest: first.seq() }),
            None => Err(JournalError::CursorExpired { earliest: head + 1 }),
        }
    }

    /// The head, as it moves.
    ///
    /// # Errors
    /// [`JournalError::Store`].
    pub async fn head(&self, session: &SessionId) -> Result<watch::Receiver<Head>> {
        Ok(self.log(session).await?.subscribe())
    }

    /// Says that nothing will follow; readers come to an end. Answers when the last of them has, or after `limit`.
    pub async fn close(&self, session: &SessionId, limit: Duration) {
        let log = self.logs.read().unwrap_or_else(PoisonError::into_inner).get(session).cloned();
        if let Some(log) = log {
            log.close();
            let _ = tokio::time::timeout(limit, log.unread()).await;
        }
    }

    /// Lets all readers come to an end, though more may follow: they read on elsewhere, with their cursors.
    pub fn end_readers(&self) {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|log| log.close());
    }

    /// Drops what is held in memory of a session that is over.
    pub fn forget(&self, session: &SessionId) {
        self.logs_mut(|logs| logs.remove(session));
    }

    async fn log(&self, session: &SessionId) -> Result<Arc<Log>> {
        let known = self.logs.read().unwrap_or_else(PoisonError::into_inner).get(session).cloned();
        let log = known
            .unwrap_or_else(|| self.logs_mut(|logs| Arc::clone(logs.entry(session.clone()).or_default())));
        log.load(self.store.as_ref(), session).await?;
        Ok(log)
    }

    fn logs_mut<T>(&self, change: impl FnOnce(&mut HashMap<SessionId, Arc<Log>>) -> T) -> T {
        change(&mut self.logs.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
