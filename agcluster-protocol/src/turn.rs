//! Turns: their names, how they end, what they cost.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of one turn: a prompt and everything until its terminal event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct TurnId(pub Uuid);

impl TurnId {
    /// A new name; later ones sort behind earlier ones.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The terminal event of a turn: exactly one each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TurnEnd {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The agent's last words, where it gave any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Output in the shape of a schema that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured_output: Option<serde_json::Value>,
    /// Tokens of this turn alone, over all models.
    #[serde(default)]
    pub usage: Usage,
    /// The same by model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelUsage>,
    /// US dollars for this turn alone, as the agent program reckons them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Milliseconds from prompt to end.
    #[serde(default)]
    pub duration_ms: u64,
    /// Model calls of the main agent.
    #[serde(default)]
    pub model_calls: u32,
}

impl TurnEnd {
    /// An end of which nothing is known but how it came.
    pub fn bare(outcome: Outcome) -> Self {
        Self {
            outcome,
            result: None,
            structured_output: None,
            usage: Usage::default(),
            models: BTreeMap::new(),
            cost_usd: None,
            duration_ms: 0,
            model_calls: 0,
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// By itself.
    Completed,
    /// Because it was asked to.
    Interrupted,
    /// Against its will.
    Failed {
        /// A name to branch on.
        reason: FailureReason,
        /// One sentence for a person.
        message: String,
    },
    /// At a limit that was set for it.
    Limit {
        /// Which.
        which: Limit,
    },
}

/// Why a turn failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The model API refused the key.
    ModelAuth,
    /// The model API answered with an error, or could not be reached.
    ModelApi,
    /// The model API asked for patience longer than the agent program had.
    ModelOverloaded,
    /// The agent program ended in the middle of the turn.
    AgentExited,
    /// The agent program was restarted in the middle of the turn, because that was asked for.
    AgentRestarted,
    /// The agent program reported an error of its own.
    AgentError,
    /// The agent server ended, or started anew, in the middle of the turn.
    AgentServerLost,
    /// The container is gone.
    ContainerLost,
    /// The session was stopped.
    SessionStopped,
    /// Something else; the message says what.
    #[serde(other)]
    Other,
}

/// A limit that ended a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The most model calls in one turn.
    MaxTurns,
    /// The most money.
    Budget,
    /// The most tries at an output of the wanted shape.
    StructuredOutputRetries,
    /// The most time.
    Time,
    /// Another one, which the agent program names in the event's `extra`.
    #[serde(other)]
    Other,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Usage {
    /// Read by the model, outside its cache.
    pub input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
    /// Read from the model's cache.
    pub cache_read_tokens: u64,
    /// Written to the model's cache.
    pub cache_write_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
    }
}

/// Tokens and money of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ModelUsage {
    /// Tokens.
    #[serde(flatten)]
    pub usage: Usage,
    /// US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// The most tokens that fit into the model's context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
}
