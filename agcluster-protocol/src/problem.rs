//! How the agent server says no.

use serde::{Deserialize, Serialize};

/// The body of every answer outside 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable name to branch on; see [`codes`].
    pub code: String,
    /// One sentence for a person, saying what to do.
    pub detail: String,
}

/// The codes an agent server answers with.
pub mod codes {
    /// 401: the bearer token is missing or wrong.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// 409: `/configure` has already been taken with another session or generation.
    pub const ALREADY_CONFIGURED: &str = "already_configured";
    /// 409: `/configure` has not been called yet.
    pub const NOT_CONFIGURED: &str = "not_configured";
    /// 409: a turn is running.
    pub const BUSY: &str = "busy";
    /// 409: no turn is running, or another one than was meant, so there is nothing to interrupt or to steer.
    pub const IDLE: &str = "idle";
    /// 409: the request means another generation than the agent server's.
    pub const STALE_GENERATION: &str = "stale_generation";
    /// 410: the events after this cursor have left the replay buffer.
    pub const CURSOR_EXPIRED: &str = "cursor_expired";
    /// 400: the cursor is beyond the newest event.
    pub const CURSOR_IN_FUTURE: &str = "cursor_in_future";
    /// 400: the body or a parameter is not what the route takes.
    pub const INVALID_REQUEST: &str = "invalid_request";
    /// 404: there is no such route.
    pub const NOT_FOUND: &str = "not_found";
    /// 405: the route takes another method.
    pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
    /// 413: the body is too large.
    pub const TOO_LARGE: &str = "too_large";
    /// 404: no request with this id waits for an answer.
    pub const UNKNOWN_REQUEST: &str = "unknown_request";
    /// 422: the agent program is not in this image.
    pub const AGENT_NOT_FOUND: &str = "agent_not_found";
    /// 502: the agent program did not start or ended while starting.
    pub const AGENT_START_FAILED: &str = "agent_start_failed";
    /// 409: the agent program understood and declined.
    pub const AGENT_REFUSED: &str = "agent_refused";
    /// 504: the agent program did not answer in time.
    pub const AGENT_TIMEOUT: &str = "agent_timeout";
    /// 501: this driver cannot do that.
    pub const UNSUPPORTED: &str = "unsupported";
    /// 500: a fault of the agent server itself.
    pub const INTERNAL: &str = "internal";
}
