//! What was said and done in a session, as messages: a projection of its journal.

mod block;
mod builder;
mod page;
#[cfg(test)]
mod tests;

use agcluster_protocol::{Outcome, TurnId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub use block::{Block, BlockBody, ToolResult};
pub use builder::MessageBuilder;
pub use page::MessagePage;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A client, with a prompt.
    User,
    /// The agent.
    Assistant,
    /// The session itself, between turns.
    System,
}

/// One message: a prompt, or what an agent said and did with one call of its model. A very long one comes in several.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// The turn it belongs to.
    pub turn: Option<TurnId>,
    /// When it began.
    pub at: Timestamp,
    /// The number of its first event.
    pub first: u64,
    /// The number of its last event.
    pub last: u64,
    /// Whether nothing more will come to it.
    pub complete: bool,
    /// What is said and done.
    pub blocks: Vec<Block>,
    /// How the turn ended, in its last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Outcome>,
    /// The model API's id of it.
    #[serde(skip)]
    pub(super) message_id: Option<String>,
    /// The bytes of the events it came from.
    #[serde(skip)]
    pub(super) size: usize,
}
