//! Events: everything that happens in a session, in one vocabulary for all agents.

mod ask;
mod body;
mod kind;
mod task;
mod todo;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use ask::{
    AnsweredBy, PermissionKind, PermissionRequest, Question, QuestionOption, RequestAnswer, Resolution,
};
pub use body::{EventBody, McpServerStatus, NoticeLevel, StuckOn, TurnOrigin};
pub use task::{Task, TaskEnd};
pub use todo::{TodoItem, TodoStatus};

use crate::TurnId;

/// One thing that happened, as the agent server numbers it.
///
/// On the wire it is one flat JSON object: these fields, the body's `type` and the body's own fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Grows by one with each event of one run of the agent server, starting at 1.
    pub seq: u64,
    /// The generation of the container it happened in.
    pub generation: u32,
    /// When, on the clock of the container.
    pub at: Timestamp,
    /// The turn it belongs to; absent between turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// For something a sub-agent did: the tool call that started the sub-agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What the vendor said beyond the body's fields, under the vendor's own names. Nothing is thrown away.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

impl Event {
    /// Whether this is the terminal event of its turn.
    pub fn is_terminal(&self) -> bool {
        matches!(self.body, EventBody::TurnEnded(_))
    }
}
