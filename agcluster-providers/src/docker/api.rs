//! The engine's wire: the only place that knows bollard.
//!
//! Every call has a time-out of its own, and answers this module's own small types or a [`Failure`].

mod body;
mod connect;
mod containers;
mod exec;
mod networks;
mod stamps;
mod streams;
mod volumes;

use std::future::Future;
use std::io;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as BollardError;
use thiserror::Error;

pub(super) use body::{ContainerPlan, Injected, Published};
pub(super) use containers::{Created, Seen, SeenState};
pub(super) use exec::ExecResult;
pub(super) use networks::SeenNetwork;
pub(super) use volumes::SeenVolume;

use super::config::Timeouts;
use super::host::Host;

/// A connection to one engine, after agreeing on a version.
#[derive(Debug)]
pub(super) struct Api {
    docker: Docker,
    timeouts: Timeouts,
    pub(super) host: Host,
    pub(super) facts: Facts,
}

/// What was found out about an engine when it was connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The product and its version, as in `Docker 20.10.24`.
    pub(super) version: String,
    /// Whether it is Podman, which differs here and there.
    pub(super) podman: bool,
    /// Whether the engine runs as a common user, in a network of its own.
    pub(super) rootless: bool,
    /// Whether the engine runs in a virtual machine of its own (Docker Desktop).
    pub(super) desktop: bool,
    /// What the engine's kernel can limit.
    pub(super) limits: EngineLimits,
}

/// What an engine can limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EngineLimits {
    pub(super) cpu: bool,
    pub(super) memory: bool,
    pub(super) swap: bool,
    pub(super) pids: bool,
    /// The size of volumes.
    pub(super) storage: bool,
}

/// Why a call got no answer that could be used.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The engine refused.
    #[error("the engine answered {status}: {message}")]
    Refused { status: u16, message: String },
    /// The engine could not be reached.
    #[error("the engine cannot be reached")]
    Unreachable { kind: io::ErrorKind, source: BollardError },
    /// The engine did not answer in time.
    #[error("the engine did not answer in time")]
    Timeout,
    /// The engine's address or certificates are not usable; the reason is a sentence.
    #[error("{0}")]
    Setup(String),
    /// The engine's answer makes no sense.
    #[error("the engine's answer makes no sense: {0}")]
    Nonsense(String),
}

impl Failure {
    /// The status of a refusal, 0 for anything else.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } => *status,
            _ => 0,
        }
    }

    /// Whether the engine refused with this status and a message that has this in it, in any case.
    pub(super) fn says(&self, wanted: u16, part: &str) -> bool {
        matches!(self, Self::Refused { status, message }
            if *status == wanted && message.to_ascii_lowercase().contains(part))
    }

    /// Whether there was no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        self.status() == 404
    }
}

impl From<BollardError> for Failure {
    fn from(error: BollardError) -> Self {
        match error {
            BollardError::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message }
            }
            BollardError::RequestTimeoutError => Self::Timeout,
            BollardError::SocketNotFoundError(_) => {
                Self::Unreachable { kind: io::ErrorKind::NotFound, source: error }
            }
            BollardError::IOError { ref err } => Self::Unreachable { kind: err.kind(), source: error },
            BollardError::HyperLegacyError { .. } | BollardError::HyperResponseError { .. } => {
                let kind = io_kind(&error).unwrap_or(io::ErrorKind::BrokenPipe);
                Self::Unreachable { kind, source: error }
            }
            other => Self::Nonsense(other.to_string()),
        }
    }
}

/// The kind of the I/O error at the bottom of an error, if there is one.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// One call with its time-out.
async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BollardError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::Timeout),
    }
}

/// `filters` as the engine takes them: labels as `key` or `key=value`.
fn label_filters(labels: &[String]) -> std::collections::HashMap<String, Vec<String>> {
    std::collections::HashMap::from([("label".to_owned(), labels.to_vec())])
}
