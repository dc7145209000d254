//! Where everything is kept that must outlive the process: events, sessions, turns, conversations, user configurations.
//!
//! A store is dumb on purpose. It takes lists of [`Change`]s, each list whole or not at all, and answers a few questions;
//! what the changes mean is the business of [`crate::journal`] and [`crate::session`].

mod change;
mod error;
mod memory;
mod open;
mod plan;
#[cfg(feature = "postgres")]
mod postgres;
mod retention;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod url;

use std::fmt;
use std::sync::Arc;

use agcluster_protocol::TurnId;
use async_trait::async_trait;

pub use change::{
    AskedSubject, AuditRecord, Change, ConfigRecord, IdempotencyRecord, Subject, TranscriptChunk, TurnRecord,
    TurnState,
};
pub use error::{Result, StoreError};
pub use memory::MemoryStore;
pub use open::open;
pub use retention::Retention;
pub use url::DatabaseUrl;

use crate::journal::Record;
use crate::session::{Owner, SessionId, SessionRecord};

/// Keeps what it is given. Used by one process at a time: a second one that opens the same store is refused.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Makes all changes, or none. When it answers, they survive a crash of this process. Making the same changes again is
    /// success, so that a commit whose answer was lost can be repeated.
    ///
    /// Changes of one thing are made in order. What the list itself undoes later (all of a session that it removes, a key, a
    /// conversation) is not even looked at. Sessions are removed first and put next, so a list may hold a session's first
    /// events before the session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when a later try may work: whether the changes were made is not known.
    /// [`StoreError::Broken`] when events would leave a gap, or when events, a turn, a conversation or a key are of a session
    /// that is not there; [`StoreError::Conflict`] for a key that is another request's. In both cases nothing was made.
    async fn commit(&self, changes: &[Change]) -> Result<()>;

    /// Up to `limit` events of a session after a cursor, oldest first, and no more than about `max_bytes` of rendered JSON
    /// (but always one, if there is one). What is no longer kept is simply absent.
    async fn events(
        &self,
        session: &SessionId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Record>>>;

    /// The ends of a session's events.
    async fn extent(&self, session: &SessionId) -> Result<Extent>;

    /// Drops the oldest events of a session that are more than `retention` keeps; never the newest, and never the newest
    /// that came from an agent server. Gives how many.
    async fn trim(&self, session: &SessionId, retention: &Retention) -> Result<u64>;

    /// All sessions, in no order.
    async fn sessions(&self) -> Result<Vec<SessionRecord>>;

    /// All turns that have not ended, oldest first.
    async fn open_turns(&self) -> Result<Vec<TurnRecord>>;

    /// One turn.
    async fn turn(&self, id: TurnId) -> Result<Option<TurnRecord>>;

    /// The turns of an owner's sessions, or of one session of it, newest first, before a given one.
    async fn turns(
        &self,
        owner: &Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>>;

    /// The conversation of a session as the vendor's program wrote it down, in order.
    async fn transcript(&self, session: &SessionId) -> Result<Vec<TranscriptChunk>>;

    /// What a request with this key began.
    async fn idempotency(&self, owner: &Owner, key: &str) -> Result<Option<IdempotencyRecord>>;

    /// All user configurations.
    async fn configs(&self) -> Result<Vec<ConfigRecord>>;

    /// What was done in an owner's name, newest first, before a given number.
    async fn audit(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, AuditRecord)>>;

    /// A value of the installation's own.
    async fn meta(&self, key: &str) -> Result<Option<String>>;

    /// The connections that read now; none where reading needs none.
    fn connections(&self) -> Connections {
        Connections::default()
    }

    /// Ends everything in order, and lets another process have the store. Later calls may be
    /// [`StoreError::Unavailable`]. Without it the store is let go of when the process ends.
    async fn close(&self) {}
}

/// The connections that a store reads with. What it writes has a connection of its own, which is not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Those that read something this moment.
    pub used: u32,
    /// Those that are open and wait for the next to read.
    pub idle: u32,
    /// The most there may be; whoever comes when all are used waits.
    pub most: u32,
}

/// The ends of a session's events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// The oldest that is kept; 0 when there is none.
    pub earliest: u64,
    /// The newest; 0 when there is none.
    pub head: u64,
    /// Generation and number of the newest that came from an agent server.
    pub source: Option<(u32, u64)>,
    /// The bytes of rendered JSON that are kept.
    pub bytes: u64,
}
