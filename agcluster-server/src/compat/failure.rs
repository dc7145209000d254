//! How a turn ended, for clients that know success and errors.

use agcluster_core::protocol::{FailureReason, Outcome, TurnEnd};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::Problem;

/// Keeps the official clients from doing the same again by themselves: what the agent has done is done.
const NO_RETRY: (HeaderName, &str) = (HeaderName::from_static("x-should-retry"), "false");

/// How an answer that is one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The agent was done.
    Done,
    /// At a limit.
    Limit,
    /// It was interrupted.
    Interrupted,
}

/// How a turn ended.
///
/// # Errors
/// A turn that failed is a problem, never an answer.
pub(crate) fn finish(end: &TurnEnd) -> Result<Finish, Problem> {
    match &end.outcome {
        Outcome::Completed => Ok(Finish::Done),
        Outcome::Limit { .. } => Ok(Finish::Limit),
        Outcome::Interrupted => Ok(Finish::Interrupted),
        Outcome::Failed { reason, message } => {
            let (status, code) = match reason {
                FailureReason::ModelAuth => (StatusCode::UNAUTHORIZED, "model_auth"),
                FailureReason::ModelOverloaded => (StatusCode::SERVICE_UNAVAILABLE, "model_overloaded"),
                FailureReason::ModelApi => (StatusCode::BAD_GATEWAY, "model_api"),
                _ => (StatusCode::BAD_GATEWAY, "turn_failed"),
            };
            Err(Problem::new(status, code, message.clone()))
        }
    }
}

/// A turn whose end nobody will tell.
pub(crate) fn cut_off() -> Problem {
    let detail = "the stream ended before the turn did: read the rest as the job's stream";
    Problem::new(StatusCode::BAD_GATEWAY, "turn_failed", detail)
}

/// The answer for a turn that failed.
pub(crate) fn response(problem: Problem) -> Response {
    ([NO_RETRY], problem).into_response()
}
