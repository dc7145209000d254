//! The journal: everything that happened in a session, numbered without gaps. The only source of what clients see.
//!
//! Whatever is shown is appended first. A reader brings a cursor and gets everything after it; it is never buffered for,
//! so a slow one holds nobody up.

mod memory;
mod record;
mod subscription;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

pub use memory::{MemoryJournal, Retention};
pub use record::{Entry, Record};
pub use subscription::subscribe;

use crate::session::SessionId;

/// What a journal's method answers.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

/// Why a journal could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// No such session.
    #[error("the journal has no session {0}")]
    UnknownSession(SessionId),
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
    /// The store behind the journal failed.
    #[error("the journal's store does not work: {0}")]
    Store(String),
}

/// The newest event of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 when there is none yet.
    pub seq: u64,
    /// Nothing will follow.
    pub closed: bool,
}

/// Keeps events. One writer per session; any number of readers.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug + 'static {
    /// Begins a session's journal. Beginning again what is open is success.
    async fn open(&self, session: &SessionId) -> Result<()>;

    /// Appends entries in order and gives the number of the last. When it answers, they are kept, and only then readers see
    /// them. A dropped call may have appended all of them or none.
    async fn append(&self, session: &SessionId, entries: Vec<Entry>) -> Result<u64>;

    /// Up to `limit` records after a cursor, oldest first; fewer or none at the head.
    ///
    /// # Errors
    /// [`JournalError::CursorExpired`] and [`JournalError::CursorInFuture`].
    async fn read(&self, session: &SessionId, after: u64, limit: usize) -> Result<Vec<Arc<Record>>>;

    /// The head, as it moves.
    fn head(&self, session: &SessionId) -> Result<watch::Receiver<Head>>;

    /// Says that nothing will follow; readers come to an end. Closing twice is success.
    async fn close(&self, session: &SessionId) -> Result<()>;

    /// Closes a session's journal and forgets it once those who are reading it have come to its end, or after a while.
    /// Forgetting what is unknown is success.
    async fn remove(&self, session: &SessionId) -> Result<()>;
}
