//! Having the one connection that writes.

use std::sync::PoisonError;

use tokio::sync::MutexGuard;

use super::heads::Heads;
use super::{Connection, Driver, Inner};
use crate::store::{Result, StoreError};

/// The one connection that writes; none while it is to be made anew.
#[derive(Debug)]
pub(super) struct Writer<C> {
    connection: Option<C>,
    closed: bool,
}

impl<C> Writer<C> {
    pub(super) fn of(connection: C) -> Self {
        Self { connection: Some(connection), closed: false }
    }
}

/// Having it. Unless the end is [`certain`](Self::certain), the connection and what is known of the database are thrown
/// away: after an error, and when whoever wrote was dropped half-way.
pub(super) struct Writing<'a, D: Driver> {
    inner: &'a Inner<D>,
    writer: MutexGuard<'a, Writer<D::Connection>>,
    certain: bool,
}

impl<D: Driver> Inner<D> {
    /// Waits for the connection that writes, and makes it when there is none.
    pub(super) async fn writing(&self) -> Result<Writing<'_, D>> {
        let writer = self.writer.lock().await;
        let mut writing = Writing { inner: self, writer, certain: false };
        if writing.writer.closed {
            return Err(StoreError::Unavailable("it was closed".to_owned()));
        }
        if writing.writer.connection.is_none() {
            writing.writer.connection = Some(self.driver.connect().await?);
        }
        if !self.knows_heads() {
            let heads = Heads::load(writing.connection()?).await?;
            self.set_heads(Some(heads));
        }
        Ok(writing)
    }

    /// Ends the connection that writes; there will be no other.
    pub(super) async fn end_writing(&self) {
        let mut writer = self.writer.lock().await;
        writer.closed = true;
        self.set_heads(None);
        if let Some(connection) = writer.connection.take() {
            connection.close().await;
        }
    }

    fn knows_heads(&self) -> bool {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn set_heads(&self, heads: Option<Heads>) {
        *self.heads.write().unwrap_or_else(PoisonError::into_inner) = heads;
    }

    /// Looks at the ends of all sessions' events, when they are known.
    pub(super) fn heads<T>(&self, look: impl FnOnce(&Heads) -> T) -> Option<T> {
        self.heads.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
    }
}

impl<D: Driver> Writing<'_, D> {
    /// The connection.
    pub(super) fn connection(&mut self) -> Result<&mut D::Connection> {
        self.writer.connection.as_mut().ok_or_else(lost)
    }

    /// Looks at the ends of all sessions' events.
    pub(super) fn heads<T>(&self, look: impl FnOnce(&Heads) -> Result<T>) -> Result<T> {
        self.inner.heads(look).unwrap_or_else(|| Err(lost()))
    }

    /// Says what was changed.
    pub(super) fn change_heads<T>(&mut self, change: impl FnOnce(&mut Heads) -> T) -> Option<T> {
        self.inner.heads.write().unwrap_or_else(PoisonError::into_inner).as_mut().map(change)
    }

    /// Says that the connection is in no transaction, and that what is known of the database is so.
    pub(super) fn certain(mut self) {
        self.certain = true;
    }
}

impl<D: Driver> Drop for Writing<'_, D> {
    fn drop(&mut self) {
        if !self.certain && !self.writer.closed {
            if let Some(connection) = self.writer.connection.take() {
                self.inner.driver.discard(connection);
            }
            self.inner.set_heads(None);
        }
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("the connection was lost".to_owned())
}
