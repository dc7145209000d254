//! Anthropic's shapes, for the description of routes: what `render` makes of a turn.
#![allow(dead_code, reason = "these describe what is rendered")]

use utoipa::ToSchema;

use super::error::AnthropicErrorBody;

/// A message of an agent.
#[derive(ToSchema)]
pub(super) struct AnthropicMessage {
    id: String,
    /// `message`.
    r#type: String,
    /// `assistant`.
    role: String,
    model: String,
    content: Vec<AnthropicBlock>,
    /// `end_turn` or `max_tokens`; none while it is not over.
    stop_reason: Option<String>,
    /// None: an agent has no stop words.
    stop_sequence: Option<String>,
    usage: AnthropicUsage,
}

/// A block of a message.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AnthropicBlock {
    /// What the agent said.
    Text { text: String },
    /// What it thought and did.
    Thinking {
        thinking: String,
        /// The model API's proof of a thought; empty for what was done.
        signature: String,
    },
}

/// Tokens.
#[derive(ToSchema)]
pub(super) struct AnthropicUsage {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
}

/// An event of a message's stream.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AnthropicEvent {
    /// A message without content.
    MessageStart { message: AnthropicMessage },
    /// The stream is alive.
    Ping {},
    /// A block without content.
    ContentBlockStart { index: u32, content_block: AnthropicBlock },
    /// A piece of it.
    ContentBlockDelta { index: u32, delta: AnthropicDelta },
    /// It is whole.
    ContentBlockStop { index: u32 },
    /// How the message ends.
    MessageDelta { delta: AnthropicEnd, usage: AnthropicUsage },
    /// Nothing follows.
    MessageStop {},
    /// The turn failed. Nothing follows.
    Error { error: AnthropicErrorBody },
}

/// A piece of a block.
#[derive(ToSchema)]
#[serde(tag = "type")]
pub(super) enum AnthropicDelta {
    /// Of what is said.
    #[serde(rename = "text_delta")]
    Text { text: String },
    /// Of what is thought or done.
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    /// The proof of a thought.
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
}

/// How a message ends.
#[derive(ToSchema)]
pub(super) struct AnthropicEnd {
    /// `end_turn` or `max_tokens`.
    stop_reason: String,
    stop_sequence: Option<String>,
}
