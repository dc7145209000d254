//! What can go wrong between control plane and agent server.

use std::time::Duration;

use agcluster_protocol::{Problem, workspace};
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
    /// Its workspace said no.
    #[error("the workspace refused: {detail}")]
    Workspace {
        /// One of the codes of [`REFUSALS`](workspace::REFUSALS).
        code: &'static str,
        /// The HTTP status that belongs to it.
        status: StatusCode,
        /// What is wrong, in a sentence.
        detail: String,
    },
    /// It answered something that makes no sense.
    #[error("the agent server broke the protocol: {0}")]
    Protocol(String),
}

impl AgentError {
    /// Whether the agent server or its workspace refused with this code; see [`agcluster_protocol::codes`] and
    /// [`REFUSALS`](workspace::REFUSALS).
    pub fn is_refusal(&self, code: &str) -> bool {
        match self {
            Self::Refused { problem, .. } => problem.code == code,
            Self::Workspace { code: own, .. } => *own == code,
            _ => false,
        }
    }

    /// The same as the answer to what the workspace was asked: its codes mean something else there than in the mouth of the
    /// agent server.
    pub(crate) fn of_workspace(self) -> Self {
        let Self::Refused { status, problem } = self else { return self };
        let known = workspace::refusal(&problem.code)
            .and_then(|(code, status)| Some((code, StatusCode::from_u16(status).ok()?)));
        match known {
            Some((code, status)) => Self::Workspace { code, status, detail: problem.detail },
            None => Self::Refused { status, problem },
        }
    }

    /// Whether asking again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout { .. })
    }
}
