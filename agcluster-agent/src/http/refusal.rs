//! How the agent server says no: a `Problem` with the status of its code.

use agcluster_protocol::{Problem, codes, workspace};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::log::CursorError;

/// An answer outside 2xx.
#[derive(Debug)]
pub(crate) struct Refusal(Problem);

impl Refusal {
    pub(crate) fn new(code: &str, detail: impl Into<String>) -> Self {
        Self(Problem { code: code.to_owned(), detail: detail.into() })
    }

    /// The words of it.
    pub(crate) fn into_problem(self) -> Problem {
        self.0
    }

    fn status(&self) -> StatusCode {
        match self.0.code.as_str() {
            codes::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
            codes::NOT_FOUND | codes::UNKNOWN_REQUEST => StatusCode::NOT_FOUND,
            codes::METHOD_NOT_ALLOWED => StatusCode::METHOD_NOT_ALLOWED,
            codes::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            codes::CURSOR_EXPIRED => StatusCode::GONE,
            codes::CURSOR_IN_FUTURE | codes::INVALID_REQUEST => StatusCode::BAD_REQUEST,
            codes::AGENT_NOT_FOUND => StatusCode::UNPROCESSABLE_ENTITY,
            codes::AGENT_START_FAILED => StatusCode::BAD_GATEWAY,
            codes::AGENT_TIMEOUT => StatusCode::GATEWAY_TIMEOUT,
            codes::UNSUPPORTED => StatusCode::NOT_IMPLEMENTED,
            codes::ALREADY_CONFIGURED
            | codes::AGENT_REFUSED
            | codes::NOT_CONFIGURED
            | codes::BUSY
            | codes::IDLE
            | codes::STALE_GENERATION => StatusCode::CONFLICT,
            other => workspace::refusal(other)
                .and_then(|(_, status)| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<CursorError> for Refusal {
    fn from(error: CursorError) -> Self {
        let code = match error {
            CursorError::Expired { .. } => codes::CURSOR_EXPIRED,
            CursorError::Future { .. } => codes::CURSOR_IN_FUTURE,
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self.0)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
