//! Every answer that is no success: `application/problem+json` with a stable code and one sentence saying what to do.

use agcluster_core::agent::AgentError;
use agcluster_core::config::{CatalogError, ConfigError, ConfigLookupError};
use agcluster_core::journal::JournalError;
use agcluster_core::protocol::{codes, workspace};
use agcluster_core::provider::{self, ErrorKind};
use agcluster_core::session::SessionError;
use agcluster_core::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) mod registry;

/// A refusal or a failure, as a client sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[serde(serialize_with = "status_number")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// A short name of the status.
    pub title: &'static str,
    /// A stable name to branch on.
    pub code: &'static str,
    /// One sentence saying what is wrong and what to do.
    pub detail: String,
    /// What is wrong field by field, for a document with several mistakes.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldProblem>, required = false)]
    pub errors: Box<[FieldProblem]>,
    /// The platform's id of the request that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub platform_request_id: Option<Box<str>>,
    /// The oldest event that is kept, for a cursor that is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest: Option<u64>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
}

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The path to the field.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem of one sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title: status.canonical_reason().unwrap_or("Error"),
            code,
            detail: detail.into(),
            errors: Box::default(),
            platform_request_id: None,
            earliest: None,
            retry_after_seconds: None,
        }
    }

    /// 400 or 422: the request is not what the route takes.
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Adds when to come back.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For whoever says the same in another shape.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            SessionError::NotFound(_)
            | SessionError::UnknownTurn(_)
            | SessionError::UnknownRequest(_)
            | SessionError::UnknownApproval(_) => Self::new(StatusCode::NOT_FOUND, code, detail),
            SessionError::AnswerInvalid(_) => Self::bad_request(code, detail),
            SessionError::ApprovalExpired | SessionError::ApprovalWithdrawn => {
                Self::new(StatusCode::GONE, code, detail)
            }
            SessionError::Busy { .. } => Self::new(StatusCode::CONFLICT, code, detail).retry_after(1),
            SessionError::QueueFull(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after(5)
            }
            SessionError::IdTaken(_)
            | SessionError::Idle
            | SessionError::CannotSteer
            | SessionError::NotRunning { .. }
            | SessionError::CredentialsRequired(_)
            | SessionError::TurnEnded(_)
            | SessionError::ApprovalAnswered(_)
            | SessionError::ConfigDiffers
            | SessionError::Removed => Self::new(StatusCode::CONFLICT, code, detail),
            SessionError::IdempotencyMismatch => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail),
            SessionError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(5)
            }
            SessionError::UnknownProvider { .. } => Self::bad_request(code, detail),
            SessionError::Provider(error) => error.into(),
            SessionError::Agent(error) => error.into(),
            SessionError::Journal(error) => error.into(),
            SessionError::ShuttingDown => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(5)
            }
            _ => Self::new(StatusCode::BAD_GATEWAY, code, detail),
        }
    }
}

/// A platform's failure says which platform, operation and request.
impl From<provider::Error> for Problem {
    fn from(error: provider::Error) -> Self {
        tracing::warn!(%error, source = error_chain(&error), "a platform failed");
        let status = match error.kind() {
            // What the caller asked for cannot be had; the sentence says what to change.
            ErrorKind::Invalid | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::AlreadyExists => StatusCode::CONFLICT,
            ErrorKind::RateLimited { .. } | ErrorKind::Quota => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Precondition => StatusCode::FAILED_DEPENDENCY,
            ErrorKind::Capacity(_) | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let code = match error.kind() {
            ErrorKind::Auth => "provider_auth",
            ErrorKind::NotFound => "provider_not_found",
            ErrorKind::Gone => "provider_gone",
            ErrorKind::AlreadyExists => "provider_already_exists",
            ErrorKind::Capacity(_) => "provider_capacity",
            ErrorKind::RateLimited { .. } => "provider_rate_limited",
            ErrorKind::Quota => "provider_quota",
            ErrorKind::Precondition => "provider_precondition",
            ErrorKind::Invalid => "provider_invalid",
            ErrorKind::Timeout => "provider_timeout",
            ErrorKind::Unavailable => "provider_unavailable",
            ErrorKind::Unsupported => "provider_unsupported",
            _ => "provider_protocol",
        };
        let mut problem = Self::new(status, code, error.to_string());
        problem.platform_request_id = error.request_id().map(Box::from);
        match error.kind() {
            ErrorKind::RateLimited { retry_after } => problem.retry_after(
                retry_after.map_or(1, |wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1)),
            ),
            ErrorKind::Capacity(_) | ErrorKind::Unavailable => problem.retry_after(5),
            _ => problem,
        }
    }
}

impl From<AgentError> for Problem {
    fn from(error: AgentError) -> Self {
        tracing::warn!(%error, source = error_chain(&error), "an agent server failed");
        let detail = error.to_string();
        match error {
            AgentError::Refused { problem, .. } => match problem.code.as_str() {
                codes::BUSY => Self::new(StatusCode::CONFLICT, "session_busy", detail).retry_after(1),
                codes::INVALID_REQUEST => Self::bad_request("agent_invalid_request", detail),
                codes::UNSUPPORTED => Self::bad_request("agent_unsupported", detail),
                codes::AGENT_NOT_FOUND => Self::new(StatusCode::FAILED_DEPENDENCY, "agent_not_found", detail),
                codes::AGENT_START_FAILED => Self::new(StatusCode::BAD_GATEWAY, "agent_start_failed", detail),
                codes::AGENT_TIMEOUT => Self::new(StatusCode::GATEWAY_TIMEOUT, "agent_timeout", detail),
                codes::AGENT_REFUSED => Self::new(StatusCode::CONFLICT, "agent_refused", detail),
                // The workspace's, where the agent server passes on what it says: to the files that a session begins with.
                other => match workspace::refusal(other) {
                    Some((code, status)) => Self::new(
                        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
                        code,
                        problem.detail,
                    ),
                    None => Self::new(StatusCode::BAD_GATEWAY, "agent_error", detail),
                },
            },
            // Its own words: they say what is wrong with the request.
            AgentError::Workspace { code, status, detail } => Self::new(status, code, detail),
            AgentError::Timeout { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "agent_timeout", detail),
            _ => Self::new(StatusCode::BAD_GATEWAY, "agent_error", detail),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let detail = error.to_string();
        match error {
            JournalError::CursorExpired { earliest } => {
                let detail = format!("{detail}: read on from after={}", earliest.saturating_sub(1));
                Self { earliest: Some(earliest), ..Self::new(StatusCode::GONE, "cursor_expired", detail) }
            }
            JournalError::CursorInFuture { .. } => Self::bad_request("cursor_in_future", detail),
            JournalError::Store(StoreError::Conflict { .. }) => SessionError::IdempotencyMismatch.into(),
            _ => {
                tracing::error!(%error, "the journal failed");
                let detail =
                    "the database does not work at the moment, so nothing is started: try again soon";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(5)
            }
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let errors = error
            .problems()
            .iter()
            .map(|problem| FieldProblem { field: problem.field.clone(), message: problem.message.clone() })
            .collect();
        Self { errors, ..Self::bad_request("config_invalid", error.to_string()) }
    }
}

impl From<ConfigLookupError> for Problem {
    fn from(error: ConfigLookupError) -> Self {
        let detail = error.to_string();
        match error {
            ConfigLookupError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "config_not_found", detail),
            ConfigLookupError::Invalid { error, .. } => Self { detail, ..error.into() },
            _ => Self::bad_request("config_invalid", detail),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            CatalogError::Invalid(error) => error.into(),
            CatalogError::Secrets(error) => Self { code, ..error.into() },
            CatalogError::Exists(_) | CatalogError::Reserved(_) => {
                Self::new(StatusCode::CONFLICT, code, detail)
            }
            CatalogError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, code, detail),
            CatalogError::Changed(_) => Self::new(StatusCode::PRECONDITION_FAILED, code, detail),
            CatalogError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail),
            CatalogError::Quota => Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail),
            CatalogError::Journal(error) => error.into(),
            _ => Self::bad_request(code, detail),
        }
    }
}

/// An error's causes, for the log only.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut chain = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !chain.is_empty() {
            chain.push_str(": ");
        }
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    chain
}
