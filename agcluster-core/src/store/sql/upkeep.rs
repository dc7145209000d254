//! What is done behind the scenes: deleting the events of removed sessions bit by bit, and what the database itself needs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;

use super::{Arg, Connection, Driver, Inner};
use crate::store::Result;

/// How often the database is looked after when nothing calls for it. Also how soon a lost lock is taken again.
const INTERVAL: Duration = Duration::from_secs(2);
/// The most events that one transaction deletes, so that it holds up nobody for long.
const AT_ONCE: i64 = 2_000;

const NEXT: &str = "SELECT session FROM discarded ORDER BY session LIMIT 1";
const LAST: &str = "SELECT seq FROM events WHERE session = $1 ORDER BY seq LIMIT 1 OFFSET $2";
const DELETE_SOME: &str = "DELETE FROM events WHERE session = $1 AND seq < $2";
const DELETE_REST: &str = "DELETE FROM events WHERE session = $1";
const DONE: &str = "DELETE FROM discarded WHERE session = $1";

/// Works until it is to end, or the store is gone. A fault is tried again later; whoever commits meets it too, and tells.
pub(super) async fn run<D: Driver>(store: Weak<Inner<D>>, wakes: Arc<Wakes>) {
    // Beside each other: what the database needs may take long.
    tokio::join!(tend(store.clone(), &wakes), look_after(store, &wakes));
}

/// What is told to whoever works behind the scenes.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    /// There is something to do for the database.
    pub(super) tend: Notify,
    /// There is something to do with recent events, or those of removed sessions.
    pub(super) events: Notify,
    /// It is all to end, where that does not cut off a statement.
    pub(super) ending: CancellationToken,
}

impl Wakes {
    /// Waits for one of them, but not for ever; `None` when all is to end.
    async fn wait(&self, wake: &Notify) -> Option<Result<(), Elapsed>> {
        self.ending.run_until_cancelled(tokio::time::timeout(INTERVAL, wake.notified())).await
    }
}

async fn tend<D: Driver>(store: Weak<Inner<D>>, wakes: &Wakes) {
    while let Some(inner) = store.upgrade() {
        if let Err(error) = inner.tend().await {
            tracing::debug!(%error, "the database was not looked after");
        }
        drop(inner);
        if wakes.wait(&wakes.tend).await.is_none() {
            return;
        }
    }
}

async fn look_after<D: Driver>(store: Weak<Inner<D>>, wakes: &Wakes) {
    // A removal may have been cut short.
    let mut work = Work { discarded: true, came: 0 };
    while let Some(inner) = store.upgrade() {
        if let Err(error) = inner.look_after(&mut work).await {
            tracing::debug!(%error, "the store's events were not looked after");
        }
        drop(inner);
        match wakes.wait(&wakes.events).await {
            Some(woken) => work.discarded |= woken.is_ok(),
            None => return,
        }
    }
}

/// What there is to do.
struct Work {
    /// There may be events of removed sessions.
    discarded: bool,
    /// So many events had ever come when that was looked at last.
    came: u64,
}

impl<D: Driver> Inner<D> {
    async fn look_after(&self, work: &mut Work) -> Result<()> {
        let writing = self.writing().await?;
        let (settle, came) =
            writing.heads(|heads| Ok((heads.recent.should_settle(work.came), heads.recent.came())))?;
        writing.certain();
        work.came = came;
        if settle {
            self.settle().await?;
        }
        while work.discarded && !self.wakes.ending.is_cancelled() {
            work.discarded = self.delete_some().await?;
        }
        Ok(())
    }

    /// Does what the database itself needs.
    async fn tend(&self) -> Result<()> {
        self.driver.tend().await?;
        let mut writing = self.writing().await?;
        writing.connection()?.tend().await?;
        writing.certain();
        Ok(())
    }

    /// Deletes some events of a removed session, and gives whether there may be more.
    async fn delete_some(&self) -> Result<bool> {
        let mut writing = self.writing().await?;
        let connection = writing.connection()?;
        let next = connection.fetch(NEXT, &[]).await?;
        let more = if let Some(row) = next.first() {
            let session = Arg::Int(row.int(0)?);
            connection.begin().await?;
            let last = connection.fetch(LAST, &[session, Arg::Int(AT_ONCE)]).await?;
            if let Some(row) = last.first() {
                connection.execute(DELETE_SOME, &[session, Arg::Int(row.int(0)?)]).await?;
            } else {
                connection.execute(DELETE_REST, &[session]).await?;
                connection.execute(DONE, &[session]).await?;
            }
            connection.commit().await?;
            true
        } else {
            false
        };
        writing.certain();
        Ok(more)
    }
}
