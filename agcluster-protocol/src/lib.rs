//! What the control plane and the agent server say to each other: serde types, nothing else.
//!
//! The agent server is the small program in every container. It answers HTTP/1.1 with JSON bodies and streams
//! [`Event`]s as server-sent events. [`paths`] names its routes; each route's body and answer is a type of this crate:
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /health` (no token) | – | [`Health`] |
//! | `POST /configure` | [`Configure`] | [`Configured`] |
//! | `POST /query` | [`Query`] | 202 [`Accepted`], or the turn's events for `Accept: text/event-stream` |
//! | `GET /events?after=N` | – | every event after `N`, then live ones |
//! | `POST /interrupt` | – | [`Interrupted`] |
//! | `POST /answer` | [`Answer`] | 204 |
//! | `POST /settings` | [`Settings`] | 204 |
//!
//! A refusal is a [`Problem`]. Unknown fields are ignored and unknown events are kept, so that either side may be
//! the newer one; [`PROTOCOL_VERSION`] grows only when that is not enough.

mod answer;
mod configure;
pub mod event;
mod health;
mod options;
mod problem;
mod query;
mod secret;
mod turn;

pub use answer::{Answer, Decision, Scope};
pub use configure::{Configure, Configured, DriverKind, ModelAccess};
pub use event::{Event, EventBody};
pub use health::{Health, Phase};
pub use options::{
    AgentOptions, McpServer, PermissionMode, PresetName, PresetTag, SettingSource, SubAgent, SubAgentModel,
    SystemPrompt,
};
pub use problem::{Problem, codes};
pub use query::{Accepted, Interrupted, PromptBlock, Query, Settings};
pub use secret::Secret;
pub use turn::{FailureReason, Limit, ModelUsage, Outcome, TurnEnd, TurnId, Usage};

/// The version of this vocabulary. Both sides must agree on it.
pub const PROTOCOL_VERSION: u32 = 1;

/// The TCP port on which the agent server listens in a container.
pub const AGENT_PORT: u16 = 3000;

/// The environment variable that gives the agent server the SHA-256 digest (lower-case hex) of the bearer token it
/// shall accept. The token itself never enters a container's environment.
pub const TOKEN_DIGEST_ENV: &str = "AGCLUSTER_TOKEN_SHA256";

/// The routes of the agent server.
pub mod paths {
    /// Liveness and phase; the only route without a token.
    pub const HEALTH: &str = "/health";
    /// Gives the agent server its session, agent options and secrets.
    pub const CONFIGURE: &str = "/configure";
    /// Starts a turn.
    pub const QUERY: &str = "/query";
    /// Streams events after a cursor.
    pub const EVENTS: &str = "/events";
    /// Ends the running turn.
    pub const INTERRUPT: &str = "/interrupt";
    /// Answers a permission request or a question.
    pub const ANSWER: &str = "/answer";
    /// Changes model or permission mode of the running agent.
    pub const SETTINGS: &str = "/settings";
}
