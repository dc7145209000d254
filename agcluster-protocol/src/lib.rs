//! What the control plane and the agent server say to each other: serde types, nothing else.
//!
//! The agent server is the small program in every container. It answers HTTP/1.1 with JSON bodies and streams
//! [`Event`]s as server-sent events. [`paths`] names its routes; each route's body and answer is a type of this crate:
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /health` (no token) | – | [`Health`] |
//! | `GET /liveness` | – | [`Liveness`] |
//! | `POST /configure` | [`Configure`] | [`Configured`] |
//! | `POST /query` | [`Query`] | 202 [`Accepted`], or the turn's events for `Accept: text/event-stream` |
//! | `GET /events?after=N` | – | every event after `N`, then live ones |
//! | `POST /ack` | [`Ack`] | 204 |
//! | `POST /steer` | [`Steer`] | 202 [`Accepted`] |
//! | `POST /interrupt` | [`Interrupt`], or none | 202 [`Interrupted`] |
//! | `POST /answer` | [`Answer`] | 204 |
//! | `POST /settings` | [`Settings`] | 204 |
//! | `GET /resources` | – | [`resources::ResourceUse`] |
//! | `GET /environment?names=A,B` | – | [`resources::EnvironmentNames`] |
//! | `POST /restart-program` | [`RestartProgram`] | [`Configured`] |
//! | `/workspace/…` | see [`workspace`] | |
//!
//! To whom acknowledges events none is lost: the agent server keeps each until it is acknowledged, in memory and then on
//! disk up to a bound, and beyond that lets the agent program wait.
//!
//! A refusal is a [`Problem`]. Unknown fields are ignored and unknown events are kept, so that either side may be
//! the newer one; [`PROTOCOL_VERSION`] grows only when that is not enough.

mod answer;
mod configure;
pub mod event;
mod health;
mod liveness;
mod options;
mod problem;
mod query;
pub mod resources;
mod secret;
mod steer;
mod transcript;
mod turn;
pub mod workspace;

pub use answer::{Answer, Decision, Scope};
pub use configure::{Configure, Configured, DriverKind, ModelAccess, RestartProgram};
pub use event::{Event, EventBody};
pub use health::{Health, Phase};
pub use liveness::{
    Ack, EventsLiveness, Liveness, ModelLiveness, ProgramLiveness, ToolLiveness, TurnLiveness,
};
pub use options::{
    AgentOptions, McpServer, PermissionMode, PresetName, PresetTag, SettingSource, SubAgent, SubAgentModel,
    SystemPrompt,
};
pub use problem::{Problem, codes};
pub use query::{Accepted, Interrupt, Interrupted, PromptBlock, Query, Settings};
pub use secret::Secret;
pub use steer::{PromptId, Steer};
pub use transcript::{InvalidPath, TranscriptFile};
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
    /// What runs, and since when it has been silent.
    pub const LIVENESS: &str = "/liveness";
    /// What the container uses.
    pub const RESOURCES: &str = "/resources";
    /// Which variables the agent program has.
    pub const ENVIRONMENT: &str = "/environment";
    /// Gives the agent server its session, agent options and secrets.
    pub const CONFIGURE: &str = "/configure";
    /// Starts a turn.
    pub const QUERY: &str = "/query";
    /// Streams events after a cursor.
    pub const EVENTS: &str = "/events";
    /// Says up to which event everything is in safe keeping.
    pub const ACK: &str = "/ack";
    /// Adds a prompt to the running turn.
    pub const STEER: &str = "/steer";
    /// Ends the running turn.
    pub const INTERRUPT: &str = "/interrupt";
    /// Answers a permission request or a question.
    pub const ANSWER: &str = "/answer";
    /// Changes model or permission mode of the running agent.
    pub const SETTINGS: &str = "/settings";
    /// Ends the agent program and starts it again with its conversation.
    pub const RESTART_PROGRAM: &str = "/restart-program";
}
