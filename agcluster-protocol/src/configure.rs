//! `POST /configure`: what an agent server is told once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentOptions, Secret, TranscriptFile};

/// The body of `POST /configure`. The agent server starts the agent program and answers when that is ready for a
/// prompt. Repeating the call with the same session and generation gives the first answer again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configure {
    /// The public id of the session.
    pub session: String,
    /// The generation of this container; every event carries it.
    pub generation: u32,
    /// Which driver runs the agent.
    pub driver: DriverKind,
    /// How the agent shall behave.
    #[serde(default)]
    pub options: AgentOptions,
    /// How to reach the model. A driver that calls no model needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_access: Option<ModelAccess>,
    /// The vendor's id of a conversation to continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// With `resume`: the agent program's own record of that conversation, as its [`Transcript`](crate::EventBody::Transcript)
    /// events told it, oldest lines first. It is written to the agent's home before the program starts, so that a
    /// conversation goes on in a container that has never seen it. A file that is there already is replaced; parts of
    /// one file are put together in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<TranscriptFile>,
    /// Files that are written into the workspace, by path beneath it, before the agent program starts. What is there already is
    /// left as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Whether events will be acknowledged with `POST /ack`. Then none is dropped before it is; else the oldest go when
    /// there are too many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledges: bool,
}

/// The body of `POST /restart-program`: end the running turn as failed with
/// [`AgentRestarted`](crate::FailureReason::AgentRestarted), kill the agent program with all that it has started, and start
/// it again with its conversation. The answer comes when it is ready. Calls that come while it starts wait for the same
/// start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartProgram {
    /// The generation the caller means; another one than the agent server's is refused.
    pub generation: u32,
}

/// The drivers an agent server may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Claude Code over its native stream.
    Claude,
    /// Plays a script; for tests, demonstrations and load.
    Scripted,
}

/// Where the model is and what opens it. Only the agent server ever holds this; the agent program talks to a loopback
/// port of the agent server, which adds the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelAccess {
    /// The base URL of the model API, without `/v1`.
    pub base_url: String,
    /// The key, sent as `x-api-key`.
    pub api_key: Secret,
}

/// The answer of `POST /configure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// The name and version of the agent program, such as `claude 2.1.329`.
    pub agent: String,
    /// The vendor's id of the conversation, with which it can be resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// The seq of the newest event at this moment; read `GET /events` after it, or after 0 for everything.
    pub last_seq: u64,
}
