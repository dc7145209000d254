//! What `GET /health` tells.

use serde::{Deserialize, Serialize};

/// The answer of `GET /health`. It needs no token, so it holds nothing worth hiding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// [`crate::PROTOCOL_VERSION`] of the agent server.
    pub protocol: u32,
    /// The agent server's own version.
    pub version: String,
    /// A random name of this run of the agent server; another one means that its event buffer started anew.
    pub instance: String,
    /// How far it has come.
    pub phase: Phase,
    /// The generation it was configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
}

/// How far an agent server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for `/configure`.
    Unconfigured,
    /// The agent program is starting.
    Starting,
    /// Takes queries.
    Ready,
    /// The agent program could not be started, or ended so often that it is not started again by itself.
    Failed,
}
