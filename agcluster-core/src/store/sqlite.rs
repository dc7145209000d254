//! A store in a file of SQLite.
//!
//! The write-ahead log is carried over into the file by [`upkeep`](super::sql), beside the commits: done by a commit, as
//! SQLite would, it would hold up everybody's events while the disk syncs.

mod connection;
mod driver;
mod error;
mod file;

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::sql::{Script, SqlStore, migrator, newest};
use super::url::SqliteFile;
use super::{DatabaseUrl, Result, StoreError};
use connection::{Pressure, SqliteWriter};
use driver::Sqlite;

/// The steps to the newest tables; none is ever changed.
const SCRIPTS: &[Script] = &[
    Script { name: "first tables", sql: include_str!("../../migrations/sqlite/0001.sql") },
    Script { name: "recent events", sql: include_str!("../../migrations/sqlite/0002.sql") },
];

/// How long a statement waits for somebody else's lock, such as that of an administrator's shell.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens or makes the database.
pub(super) async fn open(url: &DatabaseUrl, file: &SqliteFile) -> Result<SqlStore<Sqlite>> {
    let files = file::prepare(&file.path)?;
    let synchronous = if file.full { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
    let options = SqliteConnectOptions::new()
        .filename(&files.path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", "134217728")
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let unusable = |error: sqlx::Error| error::at_open(url, &error);
    let mut connection = options.connect().await.map_err(unusable)?;
    prepare(url, &mut connection).await?;
    let pressure = Arc::new(Pressure::default());
    let writer = SqliteWriter::new(connection, pressure.clone());
    let driver = Sqlite::new(options, pressure, files);
    SqlStore::new(driver, writer).await
}

/// Brings the tables to what this program knows.
async fn prepare(url: &DatabaseUrl, connection: &mut SqliteConnection) -> Result<()> {
    let unusable = |error: sqlx::Error| error::at_open(url, &error);
    let mode: String =
        sqlx::query("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(unusable)?.get(0);
    if mode != "wal" {
        return Err(StoreError::Open(format!(
            "{url} cannot be written with a log ahead: set DATABASE_URL to a file on a local disk"
        )));
    }
    let known = newest(SCRIPTS);
    let exists = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let exists: i64 = sqlx::query(exists).fetch_one(&mut *connection).await.map_err(unusable)?.get(0);
    if exists > 0 {
        let found = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
        let found: i64 = sqlx::query(found).fetch_one(&mut *connection).await.map_err(unusable)?.get(0);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
    }
    let migrated = migrator(SCRIPTS).run(&mut *connection).await;
    migrated.map_err(|error| error::at_migration(url, error))
}
