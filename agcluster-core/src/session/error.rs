//! Why a session did not do what it was asked.

use agcluster_protocol::TurnId;

use super::SessionId;
use crate::agent::AgentError;
use crate::journal::JournalError;
use crate::provider;
use crate::store::StoreError;

/// What a session's method answers.
pub type Result<T, E = SessionError> = std::result::Result<T, E>;

/// Why a session did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is none of that name (or it is somebody else's).
    #[error("there is no session {0}")]
    NotFound(SessionId),
    /// There is a session of that name, this owner's or somebody else's.
    #[error("the name {0} is taken: choose another one")]
    IdTaken(SessionId),
    /// There is no turn of that name (or it is in somebody else's session).
    #[error("there is no job {0}")]
    UnknownTurn(String),
    /// The turn is over.
    #[error("the job {0} has ended, so there is nothing to cancel")]
    TurnEnded(TurnId),
    /// A turn is running.
    #[error("the session is busy with turn {}: wait for its end, interrupt it, or send the message with \"queue\": true", turn.map_or_else(|| "of its own".to_owned(), |turn| turn.to_string()))]
    Busy {
        /// The turn, where it is known.
        turn: Option<TurnId>,
    },
    /// As many turns wait as may.
    #[error("{0} messages wait already: wait for the end of a turn")]
    QueueFull(usize),
    /// No turn is running, or not the one that was meant.
    #[error("the session runs no such turn, so there is nothing to interrupt")]
    Idle,
    /// The agent takes no message into a running turn.
    #[error("this agent takes no message into a running turn: send it with \"queue\": true")]
    CannotSteer,
    /// It cannot take requests in the state it is in.
    #[error("the session is {status}{}", reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}")))]
    NotRunning {
        /// The state's name.
        status: &'static str,
        /// Why it is in that state.
        reason: Option<String>,
    },
    /// It runs, but cannot be reached now.
    #[error("the session cannot be reached now: {0}; try again")]
    Unreachable(String),
    /// Something that only its owner has is needed to go on.
    #[error("the session needs {0} to start its agent: it is kept nowhere, so send it with a request")]
    CredentialsRequired(String),
    /// A configuration that was brought again is not the one that the session runs.
    #[error(
        "this is not the configuration that the session was launched with: send that one, with the same mcp_env"
    )]
    ConfigDiffers,
    /// Nothing waits for this answer.
    #[error("no request {0:?} waits for an answer: it was answered, withdrawn, or never made")]
    UnknownRequest(String),
    /// There is no approval of that name (or it is in somebody else's session).
    #[error("there is no approval {0}")]
    UnknownApproval(String),
    /// This cannot be the answer to such a request.
    #[error("{0}")]
    AnswerInvalid(&'static str),
    /// It was decided otherwise.
    #[error("the approval is settled already: it was {0}")]
    ApprovalAnswered(String),
    /// Nobody decided in time.
    #[error("the time for an answer is over: it was denied because nobody answered in time")]
    ApprovalExpired,
    /// The agent no longer wants to know.
    #[error("the agent no longer waits for an answer: it took the request back, or its turn is over")]
    ApprovalWithdrawn,
    /// No provider of that name.
    #[error("{}; available: {}", no_provider(name, missing.as_deref()), known.join(", "))]
    UnknownProvider {
        /// What was asked for.
        name: String,
        /// What it lacks, when the platform is known but not configured.
        missing: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used before with another request: use a new key for a new request")]
    IdempotencyMismatch,
    /// The platform could not or would not.
    #[error(transparent)]
    Provider(#[from] provider::Error),
    /// The agent server could not or would not.
    #[error("{0}")]
    Agent(#[from] AgentError),
    /// The container ended while the agent server was waited for.
    #[error("the container ended before its agent server answered{}", reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}")))]
    ContainerEnded {
        /// Why, if the platform knows.
        reason: Option<String>,
    },
    /// The journal could not or would not.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The session was removed meanwhile.
    #[error("the session was removed meanwhile")]
    Removed,
    /// The whole application is ending.
    #[error("the server is shutting down and takes no new sessions")]
    ShuttingDown,
}

fn no_provider(name: &str, missing: Option<&str>) -> String {
    match missing {
        Some(missing) => format!("the provider {name:?} is not configured: {missing}"),
        None => format!("there is no provider {name:?}"),
    }
}

impl SessionError {
    /// Whether what was asked for may be written down all the same, or may be yet.
    pub(super) fn is_undecided_by_the_store(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Store(StoreError::Unavailable(_))))
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "session_not_found",
            Self::IdTaken(_) => "session_exists",
            Self::UnknownTurn(_) => "job_not_found",
            Self::TurnEnded(_) => "job_ended",
            Self::Busy { .. } => "session_busy",
            Self::QueueFull(_) => "queue_full",
            Self::Idle => "session_idle",
            Self::CannotSteer => "steering_unsupported",
            Self::NotRunning { .. } => "session_not_running",
            Self::Unreachable(_) => "session_unreachable",
            Self::CredentialsRequired(_) => "credentials_required",
            Self::ConfigDiffers => "config_differs",
            Self::UnknownRequest(_) => "request_not_found",
            Self::UnknownApproval(_) => "approval_not_found",
            Self::AnswerInvalid(_) => "answer_invalid",
            Self::ApprovalAnswered(_) => "approval_answered",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalWithdrawn => "approval_withdrawn",
            Self::UnknownProvider { .. } => "provider_unknown",
            Self::IdempotencyMismatch => "idempotency_key_reused",
            Self::Provider(_) => "provider_error",
            Self::Agent(_) => "agent_error",
            Self::ContainerEnded { .. } => "container_ended",
            Self::Journal(JournalError::CursorExpired { .. }) => "cursor_expired",
            Self::Journal(JournalError::CursorInFuture { .. }) => "cursor_in_future",
            Self::Journal(JournalError::Store(StoreError::Unavailable(_))) => "store_unavailable",
            Self::Journal(JournalError::Store(StoreError::Conflict { .. })) => "idempotency_key_reused",
            Self::Journal(_) => "journal_error",
            Self::Removed => "session_removed",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        JournalError::from(error).into()
    }
}
