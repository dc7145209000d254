//! Why a store did not do what it was asked.

use crate::session::Owner;

/// What a store's method answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a store did not do what it was asked. No message holds a password or a value that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not work now; a later try may. Whether a commit was made is not known.
    #[error("the store does not work now: {0}")]
    Unavailable(String),
    /// Another process has it.
    #[error("{0} is in use by another server: stop that one, or set DATABASE_URL to another database")]
    InUse(String),
    /// It was written by a newer version.
    #[error(
        "the database has version {found}, this program knows versions up to {known}: use the newer program, or another database"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// What it was told to open cannot be opened.
    #[error("{0}")]
    Open(String),
    /// The key of a request is another request's already. Nothing of the commit was made.
    #[error("this idempotency key was used for another request")]
    Conflict {
        /// Whose key.
        owner: Owner,
        /// The key.
        key: String,
    },
    /// What it holds cannot be read, or what it was given cannot be kept: no later try will work.
    #[error("the store is damaged or was misused: {0}")]
    Broken(String),
}
