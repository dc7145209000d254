//! Why a catalog did not do what it was asked.

use super::ConfigError;
use crate::journal::JournalError;

/// Why a catalog did not do what it was asked. `Display` is one sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Invalid(ConfigError),
    /// It has what looks like secrets in clear.
    #[error("{0}")]
    Secrets(ConfigError),
    /// The owner has one of that id.
    #[error("you have a configuration '{0}' already: replace it with PUT, or choose another id")]
    Exists(String),
    /// The id is a preset's, an operator's file's, or means something else.
    #[error("the id '{0}' is taken by the server: choose another one")]
    Reserved(String),
    /// The owner has none of that id. Holds the sentence.
    #[error("{0}")]
    NotFound(String),
    /// It is not the revision that the caller has seen.
    #[error("the configuration '{0}' was changed meanwhile: read it again, and change that")]
    Changed(String),
    /// The document is too large to be kept.
    #[error("the configuration is larger than {} KiB: make it smaller", .0 / 1024)]
    TooLarge(usize),
    /// There is no room for more.
    #[error("there is no room for more configurations: remove some of yours first")]
    Quota,
    /// The journal could not or would not.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl CatalogError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "config_invalid",
            Self::Secrets(_) => "config_secret",
            Self::Exists(_) => "config_exists",
            Self::Reserved(_) => "config_reserved",
            Self::NotFound(_) => "config_not_found",
            Self::Changed(_) => "config_changed",
            Self::TooLarge(_) => "too_large",
            Self::Quota => "config_quota",
            Self::Journal(_) => "store_unavailable",
        }
    }
}
