//! The one error of all providers.

use std::fmt;
use std::time::Duration;

/// What a provider's method answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something a platform could not or would not do.
///
/// Layers and callers look at [`kind`](Self::kind) and [`is_retryable`](Self::is_retryable) only; the rest is for people.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    platform: &'static str,
    operation: &'static str,
    message: String,
    retryable: bool,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The platform refuses our credentials.
    Auth,
    /// There is no such thing.
    NotFound,
    /// There was such a thing, and it will not come back or does not run.
    Gone,
    /// A thing of that name belongs to somebody else.
    AlreadyExists,
    /// The platform has no room.
    Capacity(CapacityScope),
    /// Too many calls.
    RateLimited {
        /// When to come back, if the platform says.
        retry_after: Option<Duration>,
    },
    /// The account's own limit.
    Quota,
    /// Something must be set up first; the message says what.
    Precondition,
    /// The platform does not take this request.
    Invalid,
    /// It took too long.
    Timeout,
    /// The platform does not answer.
    Unavailable,
    /// The platform has no such operation.
    Unsupported,
    /// The platform answered something that makes no sense.
    Protocol,
}

/// Where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapacityScope {
    /// On one host, which a retry may leave.
    Host,
    /// In one region; another one may have room.
    Region,
    /// Everywhere on the platform.
    Platform,
}

impl ErrorKind {
    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::AlreadyExists => "already_exists",
            Self::Capacity(_) => "capacity",
            Self::RateLimited { .. } => "rate_limited",
            Self::Quota => "quota",
            Self::Precondition => "precondition",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
        }
    }

    /// Whether the same call is usually worth a second try.
    fn usually_retryable(self) -> bool {
        matches!(
            self,
            Self::Capacity(CapacityScope::Host)
                | Self::RateLimited { .. }
                | Self::Timeout
                | Self::Unavailable
        )
    }
}

impl Error {
    /// An error with its platform, the operation that failed, and one sentence for a person.
    pub fn new(
        kind: ErrorKind,
        platform: &'static str,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                platform,
                operation,
                message: message.into(),
                retryable: kind.usually_retryable(),
                code: None,
                request_id: None,
                retry_after: None,
                source: None,
            }),
        }
    }

    /// Adds the platform's own code, such as an HTTP status or an error name.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.inner.code = Some(code.into());
        self
    }

    /// Adds the platform's id of the request.
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.inner.request_id = Some(id.into());
        self
    }

    /// Adds what caused it. It is for logs, never for users.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Says otherwise than the kind does whether the call is worth a second try.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.inner.retryable = retryable;
        self
    }

    /// Says when to come back, where the kind has no room for it (a 503 with `Retry-After`).
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.inner.retry_after = Some(wait);
        self
    }

    /// When to come back, if that is known: what was added, or what [`ErrorKind::RateLimited`] says.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.inner.kind {
            ErrorKind::RateLimited { retry_after } => self.inner.retry_after.or(retry_after),
            _ => self.inner.retry_after,
        }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call is worth a second try.
    pub fn is_retryable(&self) -> bool {
        self.inner.retryable
    }

    /// The platform.
    pub fn platform(&self) -> &'static str {
        self.inner.platform
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// One sentence for a person.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The platform's own code.
    pub fn code(&self) -> Option<&str> {
        self.inner.code.as_deref()
    }

    /// The platform's id of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id.as_deref()
    }
}

/// What there is, of a call that may be about what is gone: [`ErrorKind::NotFound`] is an answer then.
///
/// # Errors
/// Every other one.
pub fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `docker create: the image x is not there (code 404, request abc)`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { platform, operation, message, code, request_id, .. } = &*self.inner;
        write!(f, "{platform} {operation}: {message}")?;
        match (code, request_id) {
            (Some(code), Some(id)) => write!(f, " (code {code}, request {id})"),
            (Some(code), None) => write!(f, " (code {code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_platform_operation_code_and_request() {
        let error = Error::new(ErrorKind::NotFound, "docker", "create", "there is no image x")
            .with_code("404")
            .with_request_id("r1");
        assert_eq!(error.to_string(), "docker create: there is no image x (code 404, request r1)");
    }

    #[test]
    fn what_is_not_found_is_an_answer_and_any_other_error_stays_one() {
        let failed = |kind| Err::<(), _>(Error::new(kind, "p", "o", "m"));
        assert_eq!(found(Ok(7)).unwrap(), Some(7));
        assert_eq!(found(failed(ErrorKind::NotFound)).unwrap(), None);
        assert_eq!(found(failed(ErrorKind::Gone)).unwrap_err().kind(), ErrorKind::Gone);
    }

    #[test]
    fn only_passing_trouble_is_worth_a_retry() {
        let retryable = |kind| Error::new(kind, "p", "o", "m").is_retryable();
        assert!(retryable(ErrorKind::Timeout));
        assert!(retryable(ErrorKind::RateLimited { retry_after: None }));
        assert!(!retryable(ErrorKind::Auth));
        assert!(!retryable(ErrorKind::Capacity(CapacityScope::Region)));
    }
}
