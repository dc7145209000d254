//! What differs from one database to another.

use std::fmt;

use async_trait::async_trait;

use super::{Arg, Row};
use crate::store::{Connections, Result};

/// A way into a database.
#[async_trait]
pub(in crate::store) trait Driver: fmt::Debug + Send + Sync + Sized + 'static {
    /// Its connections that write.
    type Connection: Connection;

    /// Makes the connection that writes, after an earlier one was thrown away, and takes the lock again that it had.
    async fn connect(&self) -> Result<Self::Connection>;

    /// Runs a statement that only reads, beside whatever is being written.
    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>>;

    /// The connections that read.
    fn readers(&self) -> Connections;

    /// What can be done for the database beside whatever is being written. Called now and then, and when the connection
    /// asked for it.
    async fn tend(&self) -> Result<()>;

    /// Ends a connection that writes, of which it is not known what became of its last statement.
    fn discard(&self, connection: Self::Connection) {
        drop(connection);
    }

    /// Ends all other connections, also those that were [discarded](Self::discard), and lets go of the lock.
    async fn close(&self);
}

/// The one connection that writes.
#[async_trait]
pub(in crate::store) trait Connection: Send + 'static {
    /// Whether new events are put into tables of recent ones first, and into `events` later.
    const KEEPS_RECENT: bool;

    /// Begins a transaction that nobody else's can come between.
    async fn begin(&mut self) -> Result<()>;

    /// Makes the transaction's changes last.
    async fn commit(&mut self) -> Result<()>;

    /// Undoes the transaction's changes.
    async fn rollback(&mut self) -> Result<()>;

    /// Runs a statement, and gives how many rows it changed.
    async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64>;

    /// Runs a statement that gives rows.
    async fn fetch(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>>;

    /// Puts many rows into a table. The values stand row after row.
    async fn insert(&mut self, bulk: &'static Bulk, args: &[Arg<'_>]) -> Result<()>;

    /// Puts rows into tables, in a transaction of their own and all in one go. `false`, and nothing was done, where there is
    /// no such way for so many.
    async fn insert_at_once(&mut self, _tables: &[(&'static Bulk, Vec<Arg<'_>>)]) -> Result<bool> {
        Ok(false)
    }

    /// Whether [`tend`](Driver::tend) should be called soon.
    fn wants_tending(&self) -> bool;

    /// What can be done for the database only while nothing is written, or that it is still there. Short.
    async fn tend(&mut self) -> Result<()>;

    /// Ends the connection in order.
    async fn close(self);
}

/// How rows are put into a table.
#[derive(Debug)]
pub(in crate::store) struct Bulk {
    /// The table and its columns: `meta (key, value)`.
    pub(in crate::store) into: &'static str,
    /// The kind of each of these columns.
    pub(in crate::store) kinds: &'static [Kind],
    /// What happens with a row that is there already.
    pub(in crate::store) conflict: &'static str,
}

/// What kind of values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Int,
    Text,
    Blob,
}
