//! What errors of PostgreSQL mean.

use sqlx::Error;
use sqlx::migrate::MigrateError;

use crate::store::{DatabaseUrl, StoreError};

/// Why something failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL or the way to it.
    Sqlx(Error),
    /// The tables are not what this program has made.
    Strange,
    /// Somebody else has the lock.
    Locked,
    /// There is no schema to put tables into.
    NoSchema,
    /// It took too long.
    Late,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sqlx(error)
    }
}

impl From<MigrateError> for Fault {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::Sqlx(error),
            _ => Self::Strange,
        }
    }
}

/// What a failed statement means. `place` is where the database is, without a password.
pub(super) fn of(place: &str, fault: &Fault) -> StoreError {
    let unavailable = |what: &str| StoreError::Unavailable(format!("{place} {what}"));
    let error = match fault {
        Fault::Sqlx(error) => error,
        Fault::Strange => return StoreError::Broken(format!("{place} has other tables than this program's")),
        Fault::Locked => return StoreError::InUse(place.to_owned()),
        Fault::NoSchema => return StoreError::Broken(format!("{place} has no schema for the tables")),
        Fault::Late => return unavailable("takes too long to answer"),
    };
    match error {
        Error::Database(database) => {
            let code = database.code().unwrap_or_default().into_owned();
            match code.as_str() {
                "53100" => unavailable("has no space left on its disk"),
                "53300" => unavailable("allows no more connections"),
                "55P03" => unavailable("is locked by somebody else"),
                "57014" => unavailable("takes too long to answer"),
                "57P01" | "57P02" | "57P03" => unavailable("is starting or stopping"),
                "25006" => unavailable("can only be read just now"),
                _ => match code.get(..2).unwrap_or_default() {
                    "08" | "25" | "28" | "40" | "53" | "55" | "57" | "58" => {
                        unavailable(&format!("answers with an error (SQLSTATE {code})"))
                    }
                    _ => StoreError::Broken(format!("{place} refused it (SQLSTATE {code})")),
                },
            }
        }
        Error::Io(_) | Error::Tls(_) | Error::WorkerCrashed => unavailable("cannot be reached"),
        Error::PoolTimedOut => unavailable("cannot be reached, or all connections are busy"),
        Error::PoolClosed => StoreError::Unavailable("it was closed".to_owned()),
        // What an interrupted connection leaves in the middle of an answer.
        Error::Protocol(_) => unavailable("broke off in the middle of an answer"),
        _ => StoreError::Broken(format!("the answer of {place} makes no sense")),
    }
}

/// Why a database cannot be opened.
pub(super) fn at_open(url: &DatabaseUrl, fault: Fault) -> StoreError {
    let open = |what: &str| StoreError::Open(format!("{url} {what}"));
    if let Fault::Sqlx(Error::Database(database)) = &fault {
        match database.code().unwrap_or_default().as_ref() {
            "28P01" | "28000" => return open("refuses the user or the password: mend DATABASE_URL"),
            "3D000" => return open("does not exist: create the database, or mend DATABASE_URL"),
            "42501" => {
                return open("does not let this user make tables: grant it, or mend DATABASE_URL");
            }
            "42P07" | "42P01" | "42703" => {
                return open(
                    "has other tables than this program's: set DATABASE_URL to another database or schema",
                );
            }
            _ => {}
        }
    }
    match (&fault, of(&url.to_string(), &fault)) {
        (Fault::Strange, _) => {
            open("has other tables than this program's: set DATABASE_URL to another database or schema")
        }
        (Fault::NoSchema, _) => open("has no schema of the search path: create it, or mend DATABASE_URL"),
        (_, StoreError::Unavailable(why)) => {
            StoreError::Open(format!("{why}: start PostgreSQL, or mend DATABASE_URL"))
        }
        (_, StoreError::Broken(why)) => StoreError::Open(format!("{why}: mend DATABASE_URL")),
        (_, other) => other,
    }
}
