//! A store in PostgreSQL.
//!
//! The connection that writes holds an advisory lock for as long as it lives, so who can write has the lock: another server
//! that came in between, while PostgreSQL was away, cannot be overwritten. A pooler that shares out connections between
//! transactions (PgBouncer's transaction mode) cannot stand between.

mod connection;
mod driver;
mod error;

use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::sql::{Script, SqlStore, newest};
use super::{DatabaseUrl, Result, StoreError};
use driver::Postgres;

/// The steps to the newest tables; none is ever changed.
const SCRIPTS: &[Script] =
    &[Script { name: "first tables", sql: include_str!("../../migrations/postgres/0001.sql") }];

/// Opens the database, and makes its tables.
pub(super) async fn open(url: &DatabaseUrl, address: &Url) -> Result<SqlStore<Postgres>> {
    // The reason would name the value that is wrong.
    let options = address.as_str().parse::<PgConnectOptions>().map_err(|_| {
        StoreError::Open(format!(
            "DATABASE_URL has a parameter with a wrong value: mend it behind the ? of {url}"
        ))
    })?;
    let driver = Postgres::new(url, options);
    let mut writer = driver.writer().await.map_err(|error| error::at_open(url, error))?;
    prepare(url, &mut writer).await?;
    SqlStore::new(driver, writer).await
}

/// Brings the tables to what this program knows.
async fn prepare(url: &DatabaseUrl, writer: &mut connection::PgWriter) -> Result<()> {
    let known = newest(SCRIPTS);
    let found = writer.version().await.map_err(|error| error::at_open(url, error))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    writer.migrate(SCRIPTS).await.map_err(|error| error::at_open(url, error))
}
