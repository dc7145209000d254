//! The ways into a database of SQLite.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Row as _, SqliteConnection, SqlitePool};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::connection::{self, Pressure, SqliteWriter};
use super::error;
use super::file::Files;
use crate::store::sql::{Arg, Driver, Row, connections_of};
use crate::store::{Connections, Result};

/// How many read at once.
const READERS: u32 = 4;
/// How long one waits for its turn to read.
const TURN: Duration = Duration::from_secs(10);
/// The log should begin anew when it has so many pages: well before the limit of its file, so that the file is not cut and
/// made longer again each time.
const LONG: i64 = 16_384;
/// So few pages are carried over in no time.
const SHORT: i64 = 512;
/// The most that is tried until they are so few.
const PASSES: usize = 2;

/// A database of SQLite.
#[derive(Debug)]
pub(in crate::store) struct Sqlite {
    options: SqliteConnectOptions,
    readers: SqlitePool,
    /// Carries the log over; made when it is first needed.
    keeper: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Connections that end. Each has a thread, which first ends its last statement: until then, the file is in use.
    endings: TaskTracker,
    pressure: Arc<Pressure>,
    /// The database itself, see [`sync`](Self::sync).
    file: Arc<File>,
    lock: std::sync::Mutex<Option<File>>,
}

impl Sqlite {
    pub(super) fn new(options: SqliteConnectOptions, pressure: Arc<Pressure>, files: Files) -> Self {
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(TURN)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().read_only(true));
        let Files { database, lock, .. } = files;
        let (file, lock) = (Arc::new(database), std::sync::Mutex::new(Some(lock)));
        let keeper = tokio::sync::Mutex::default();
        Self { options, readers, keeper, endings: TaskTracker::new(), pressure, file, lock }
    }

    async fn connection(&self) -> Result<SqliteConnection> {
        self.options.connect().await.map_err(|error| error::of(&error))
    }

    /// Syncs what was carried over. SQLite does that only where the log begins anew, when it is all of it, and everybody waits.
    async fn sync(&self) {
        let file = Arc::clone(&self.file);
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        if let Ok(Err(error)) = synced {
            // SQLite meets it, too, and is the one that counts.
            tracing::debug!(%error, "SQLite's file was not synced ahead");
        }
    }

    /// Carries the log over, as far as nobody is in the way, and gives how many pages it has.
    async fn carry_over(&self, connection: &mut SqliteConnection) -> Result<i64> {
        let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await;
        let pages = done.and_then(|row| row.try_get(1)).map_err(|error| error::of(&error))?;
        self.sync().await;
        Ok(pages)
    }

    /// Carries the log over until little is left.
    async fn shorten(&self, connection: &mut SqliteConnection) -> Result<()> {
        let mut pages = self.carry_over(connection).await?;
        if pages > LONG {
            // What came meanwhile is carried over, too, until it is little: the writer does the rest, and all wait for it.
            for _ in 0..PASSES {
                let before = std::mem::replace(&mut pages, self.carry_over(connection).await?);
                if pages - before < SHORT {
                    break;
                }
            }
            self.pressure.long.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Ends a connection beside everything else.
    fn end(&self, connection: SqliteConnection) {
        // Without a runtime, its thread ends it, and nobody waits for that.
        if let Ok(runtime) = Handle::try_current() {
            self.endings.spawn_on(connection::end(connection), &runtime);
        }
    }
}

impl Drop for Sqlite {
    /// The kernel takes back a process's locks on a file as soon as one descriptor of it is closed: unless all of SQLite's are,
    /// this one stays open.
    fn drop(&mut self) {
        if self.lock.get_mut().unwrap_or_else(PoisonError::into_inner).is_some() {
            std::mem::forget(Arc::clone(&self.file));
        }
    }
}

#[async_trait]
impl Driver for Sqlite {
    type Connection = SqliteWriter;

    async fn connect(&self) -> Result<SqliteWriter> {
        Ok(SqliteWriter::new(self.connection().await?, self.pressure.clone()))
    }

    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        let query = sqlx::query_with(sql, connection::arguments(args)?);
        connection::rows(query.fetch_all(&self.readers).await)
    }

    fn readers(&self) -> Connections {
        connections_of(&self.readers)
    }

    async fn tend(&self) -> Result<()> {
        if self.pressure.written.swap(0, Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut keeper = self.keeper.lock().await;
        let connection = match &mut *keeper {
            Some(connection) => connection,
            none => none.insert(self.connection().await?),
        };
        let done = self.shorten(connection).await;
        if done.is_err()
            && let Some(connection) = keeper.take()
        {
            self.end(connection);
        }
        done
    }

    fn discard(&self, connection: SqliteWriter) {
        self.end(connection.into_inner());
    }

    async fn close(&self) {
        self.readers.close().await;
        if let Some(keeper) = self.keeper.lock().await.take() {
            connection::end(keeper).await;
        }
        self.endings.close();
        self.endings.wait().await;
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Said, and not only let go of: a child that is being started has the file for a moment, too.
        if let Some(Err(error)) = lock.map(|lock| lock.unlock()) {
            tracing::debug!(%error, "the lock of SQLite's file was not let go of");
        }
    }
}
