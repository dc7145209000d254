//! What a case comes to.

use std::fmt;

use crate::agent::AgentError;
use crate::provider::{Error, ErrorKind};

/// What a case came to when nothing was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was tried and is as it must be.
    Passed,
    /// The provider does not claim it, and says so when it is asked nevertheless.
    NotClaimed,
}

/// What is wrong, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub String);

/// What a case answers.
pub type Verdict = Result<Outcome, Failed>;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// With what caused it: whoever runs the suite wants to mend a provider.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self(format!("unexpected error {:?}: {error}{cause}", error.kind()))
    }
}

impl From<AgentError> for Failed {
    fn from(error: AgentError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self(format!("{error}{cause}"))
    }
}

/// Fails unless it holds.
pub(super) fn check(holds: bool, otherwise: impl Into<String>) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed(otherwise.into())) }
}

/// Fails unless both are the same.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), Failed> {
    check(seen == expected, format!("{what} is {seen:?} and should be {expected:?}"))
}

/// Fails unless a call was refused with this kind of error.
pub(super) fn refused<T>(what: &str, answer: Result<T, Error>, expected: ErrorKind) -> Result<(), Failed> {
    match answer {
        Ok(_) => Err(Failed(format!("{what} was done and should be refused as {expected:?}"))),
        Err(error) if error.kind() == expected => Ok(()),
        Err(error) => {
            Err(Failed(format!("{what} was refused as {:?} and not as {expected:?}", error.kind())))
        }
    }
}

/// Fails unless a verb that is not claimed says so.
pub(super) fn unsupported<T>(verb: &str, answer: Result<T, Error>) -> Verdict {
    let what = format!("{verb}, which is not claimed,");
    refused(&what, answer, ErrorKind::Unsupported).map(|()| Outcome::NotClaimed)
}
