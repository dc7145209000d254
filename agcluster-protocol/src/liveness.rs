//! What is alive, and what is in safe keeping.

use serde::{Deserialize, Serialize};

use crate::{Configured, Phase, TurnId};

/// The body of `POST /ack`: whoever reads the events has everything up to `seq` in safe keeping, so that the agent server
/// may forget it. A lower number than before changes nothing; one beyond the newest event is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The generation the caller means; another one than the agent server's is refused.
    pub generation: u32,
    /// The newest event in safe keeping.
    pub seq: u64,
}

/// The answer of `GET /liveness`: one clock for each thing that may get stuck, in milliseconds. The clocks run on while the
/// container is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// As in [`Health`](crate::Health): another name means another run of the agent server.
    pub instance: String,
    /// How far it has come.
    pub phase: Phase,
    /// The generation it was configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// The session it was configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What `POST /configure` was answered, with the conversation and the newest event as they are now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured: Option<Configured>,
    /// The turn that an interruption would mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnLiveness>,
    /// The agent program; absent before it was first started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramLiveness>,
    /// The way to the model; absent for an agent that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelLiveness>,
    /// Tool calls that have no result yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolLiveness>,
    /// Requests that wait for a person: while there is one, silence is nobody's fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The events.
    #[serde(default)]
    pub events: EventsLiveness,
}

/// A turn that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnLiveness {
    /// Which.
    pub id: TurnId,
    /// Since it began.
    pub age_ms: u64,
    /// Since its last event.
    pub silent_ms: u64,
}

/// The agent program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramLiveness {
    /// Whether it runs; false also while it is being started.
    pub running: bool,
    /// Since the last byte of its output, or since it was started.
    pub silent_ms: u64,
    /// How often it has ended without being told to, since it last completed a turn.
    #[serde(default)]
    pub deaths: u32,
    /// Why it does not run, in one sentence, when it is not started again by itself. The next query tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The way to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLiveness {
    /// Model calls that are under way.
    pub open_requests: u32,
    /// Since the last byte that came or went, or since the last call began; it counts only while a call is under way, and
    /// is 0 otherwise.
    pub silent_ms: u64,
}

/// A tool call that has no result yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLiveness {
    /// The call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Since the call was complete.
    pub running_ms: u64,
}

/// What the agent server keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventsLiveness {
    /// The newest event.
    pub newest: u64,
    /// The newest event that is acknowledged.
    pub acknowledged: u64,
    /// Whether the agent waits because too much is not acknowledged.
    pub held_back: bool,
}
