//! What can go wrong between control plane and agent server.

use std::time::Duration;

use agcluster_protocol::Problem;
use http::StatusCode;

/// What an agent client's method answers.
pub type Result<T, E = AgentError> = std::result::Result<T, E>;

/// Why an agent server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// No connection, or it broke.
    #[error("the agent server cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("the agent server did not answer {operation} within {limit:?}")]
    Timeout {
        /// What was asked.
        operation: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// It said no.
    #[error("the agent server refused: {}", problem.detail)]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Why.
        problem: Problem,
    },
    /// It answered something that makes no sense.
    #[error("the agent server broke the protocol: {0}")]
    Protocol(String),
}

impl AgentError {
    /// Whether the agent server refused with this code; see [`agcluster_protocol::codes`].
    pub fn is_refusal(&self, code: &str) -> bool {
        matches!(self, Self::Refused { problem, .. } if problem.code == code)
    }

    /// Whether asking again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout { .. })
    }
}
