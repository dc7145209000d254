//! A store in an SQL database: everything that does not depend on which one.
//!
//! One connection writes, and holds the lock that keeps other servers out for as long as it lives. The ends of all sessions'
//! events are kept in memory beside it, so that a commit need not ask the database for them. Whenever the outcome of a
//! transaction is in doubt, both are thrown away, and made anew from what the database holds.
//!
//! Where the database [has it so](Connection::KEEPS_RECENT), events come to their place in two steps, see [`recent`].

mod commit;
mod draft;
mod driver;
mod heads;
mod migrations;
mod reads;
mod recent;
mod settle;
mod statements;
mod trim;
mod upkeep;
mod value;
mod writing;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sqlx::{Database, Pool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) use driver::{Bulk, Connection, Driver, Kind};
pub(super) use migrations::{Script, migrator, newest};
pub(super) use value::{Arg, Cell, Row};

use super::{Connections, Result};
use heads::Heads;
use upkeep::Wakes;
use writing::Writer;

/// A store in the database of a driver.
#[derive(Debug)]
pub(super) struct SqlStore<D: Driver> {
    inner: Arc<Inner<D>>,
    upkeep: Mutex<Option<JoinHandle<()>>>,
}

/// How many connections of a pool there are, used and idle.
pub(super) fn connections_of<DB: Database>(pool: &Pool<DB>) -> Connections {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    // Looked at one after the other, while connections come and go.
    Connections { used: pool.size().saturating_sub(idle), idle, most: pool.options().get_max_connections() }
}

struct Inner<D: Driver> {
    driver: D,
    writer: tokio::sync::Mutex<Writer<D::Connection>>,
    /// The ends of all sessions' events; none while they are in doubt. Changed only by who has the writer.
    heads: RwLock<Option<Heads>>,
    /// How many events ever came, for whoever settles them. Starts anew with the heads.
    came: watch::Sender<u64>,
    /// What is told to whoever works behind the scenes.
    wakes: Arc<Wakes>,
}

impl<D: Driver> SqlStore<D> {
    /// A store whose writing connection is open, and which has been migrated.
    pub(super) async fn new(driver: D, mut connection: D::Connection) -> Result<Self> {
        let heads = Heads::load(&mut connection).await?;
        let wakes = Arc::new(Wakes::default());
        let inner = Arc::new(Inner {
            driver,
            writer: tokio::sync::Mutex::new(Writer::of(connection)),
            heads: RwLock::new(Some(heads)),
            came: watch::Sender::default(),
            wakes: wakes.clone(),
        });
        let upkeep = tokio::spawn(upkeep::run(Arc::downgrade(&inner), wakes));
        Ok(Self { inner, upkeep: Mutex::new(Some(upkeep)) })
    }

    /// Asks the work behind the scenes to end, and gives the task of it to wait for.
    fn end_upkeep(&self) -> Option<JoinHandle<()>> {
        self.inner.wakes.ending.cancel();
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<D: Driver> Drop for SqlStore<D> {
    fn drop(&mut self) {
        self.end_upkeep();
    }
}

impl<D: Driver> fmt::Debug for Inner<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("driver", &self.driver).finish_non_exhaustive()
    }
}
