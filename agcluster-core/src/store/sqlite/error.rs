//! What errors of SQLite mean.

use sqlx::Error;
use sqlx::migrate::MigrateError;

use crate::store::{DatabaseUrl, StoreError};

/// What a failed statement means.
pub(super) fn of(error: &Error) -> StoreError {
    let unavailable = |what: &str| StoreError::Unavailable(what.to_owned());
    match code(error) {
        Some(5 | 6) => unavailable("another program has locked the database"),
        Some(7) => unavailable("there is no memory for it"),
        Some(8) => unavailable("the database's file cannot be written"),
        Some(10) => unavailable("the disk answers with errors"),
        Some(13) => unavailable("the disk is full"),
        Some(14) => unavailable("the database's file cannot be opened"),
        Some(11 | 26) => StoreError::Broken("the database's file is damaged".to_owned()),
        Some(code) => StoreError::Broken(format!("SQLite refused it with code {code}")),
        None => match error {
            Error::PoolTimedOut => unavailable("all connections are busy"),
            Error::PoolClosed => unavailable("it was closed"),
            Error::WorkerCrashed | Error::Io(_) => unavailable("the connection was lost"),
            _ => StoreError::Broken("SQLite's answer makes no sense".to_owned()),
        },
    }
}

/// Why a database cannot be opened.
pub(super) fn at_open(url: &DatabaseUrl, error: &Error) -> StoreError {
    match of(error) {
        StoreError::Broken(_) if matches!(code(error), Some(11 | 26)) => StoreError::Open(format!(
            "{url} is not a database of SQLite, or is damaged: set DATABASE_URL to another file"
        )),
        StoreError::Unavailable(why) => StoreError::Open(format!(
            "{url} cannot be opened, since {why}: mend that, or set DATABASE_URL to another file"
        )),
        _ => StoreError::Open(format!(
            "{url} is a database of something else: set DATABASE_URL to another file"
        )),
    }
}

/// Why the tables cannot be brought to what this program knows.
pub(super) fn at_migration(url: &DatabaseUrl, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => at_open(url, &error),
        _ => StoreError::Open(format!(
            "{url} is a database of something else: set DATABASE_URL to another file"
        )),
    }
}

/// SQLite's primary result code.
fn code(error: &Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
