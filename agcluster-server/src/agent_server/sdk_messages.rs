//! Messages of Claude's SDK, for the description of routes: what `sdk_frames` makes of events.
#![allow(dead_code, reason = "these describe what is rendered")]

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;

use crate::openapi::schemas::any_of::AnyOf;

/// A datum of a stream: a message, or that nothing follows.
pub(super) type SdkDatum = AnyOf<SdkMessage, SdkDone>;

/// A message of Claude's SDK.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum SdkMessage {
    /// A prompt, or what a tool gave.
    User {
        message: SdkSaid,
        session_id: String,
        /// The call whose sub-agent it is of.
        parent_tool_use_id: Option<String>,
    },
    /// What the agent said, thought or called.
    Assistant { message: SdkSaid, session_id: String, parent_tool_use_id: Option<String> },
    /// The agent program began.
    System {
        /// `init`.
        subtype: String,
        model: Option<String>,
        #[serde(rename = "permissionMode")]
        permission_mode: Option<String>,
        tools: Vec<String>,
        session_id: String,
        parent_tool_use_id: Option<String>,
    },
    /// What came of a turn.
    Result {
        /// `success`, `error_max_turns` or `error_during_execution`.
        subtype: String,
        is_error: bool,
        result: Option<String>,
        duration_ms: Option<u64>,
        num_turns: Option<u32>,
        total_cost_usd: Option<f64>,
        usage: HashMap<String, u64>,
        session_id: String,
        parent_tool_use_id: Option<String>,
    },
    /// The turn failed. Nothing follows.
    Error {
        /// Why.
        content: String,
        /// `true`.
        done: bool,
    },
}

/// What somebody said.
#[derive(ToSchema)]
pub(super) struct SdkSaid {
    /// `user` or `assistant`.
    role: String,
    /// Blocks in the shape of Anthropic's API.
    #[schema(inline)]
    content: Vec<SdkBlock>,
    /// The model's name of it.
    id: Option<String>,
}

/// A block of what was said.
type SdkBlock = AnyOf<SdkKnownBlock, SdkOtherBlock>;

/// A block that clients know, in the shape of Anthropic's API.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SdkKnownBlock {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
        signature: Option<String>,
    },
    Image {
        source: SdkImageSource,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    /// Its content is what the model saw: a text, or a list of blocks.
    ToolResult {
        tool_use_id: String,
        content: Value,
        is_error: bool,
    },
}

/// A picture.
#[derive(ToSchema)]
struct SdkImageSource {
    /// `base64`.
    r#type: String,
    media_type: String,
    data: String,
}

/// A block of any other kind, with its own fields.
#[derive(ToSchema)]
struct SdkOtherBlock {
    r#type: String,
}

/// The end of a stream.
#[derive(ToSchema)]
pub(super) struct SdkDone {
    /// `true`.
    done: bool,
}

/// Everything that was said in a session.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SdkMessageList {
    /// The session's UUID.
    session_id: String,
    messages: Vec<SdkMessage>,
    count: u64,
    timestamp: Timestamp,
}
