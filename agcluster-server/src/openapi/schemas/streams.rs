//! What the data of streams is, where no type of ours is what is sent.
#![allow(dead_code, clippy::large_enum_variant, reason = "these describe what is rendered")]

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;
use utoipa::ToSchema;

use super::any_of::AnyOf;
use super::{EventSchema, ModelUsageSchema};
use crate::Problem;
use crate::projections::approval::ApprovalView;

/// An event of a session, or why the stream cannot go on.
pub(crate) type SessionDatum = AnyOf<EventSchema, StreamEnd>;
/// A datum of a job's stream, in either format.
pub(crate) type JobDatum = AnyOf<SessionDatum, ChatFrame>;
/// What a message of a chat says.
pub(crate) type ChatData = AnyOf<ChatPiece, OtherPiece>;

/// Why a stream of events cannot go on. Nothing follows.
#[derive(ToSchema)]
pub(crate) struct StreamEnd {
    /// `cursor_expired`, or `stream_error` with a `code`.
    r#type: String,
    code: Option<String>,
    /// The oldest event that is kept.
    earliest: Option<u64>,
    /// What to do, in a sentence.
    detail: String,
}

/// A frame of a chat. The last datum is `[DONE]`.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChatFrame {
    /// Something happened.
    Message {
        /// The `type` of the data.
        msg_type: String,
        #[schema(inline)]
        data: ChatData,
    },
    /// The turn ended.
    Complete {
        /// `success`, `interrupted` or `limit`.
        status: String,
        /// Which limit.
        limit: Option<String>,
    },
    /// The turn failed, or the stream cannot go on.
    Error {
        message: String,
        code: String,
        /// The oldest event that is kept.
        earliest: Option<u64>,
    },
}

/// What earlier clients know in a message of a chat. Each may have a `parent_tool_use_id`: the call whose sub-agent it is of.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChatPiece {
    /// A text, whole.
    Content { role: String, content: String },
    /// A thought, whole.
    Thinking { content: String, timestamp: Timestamp },
    /// A piece of a text that follows whole.
    ContentDelta { text: String },
    /// A piece of a thought that follows whole.
    ThinkingDelta { text: String },
    /// A tool is called.
    ToolUse {
        tool_name: String,
        tool_use_id: String,
        tool_input: Value,
        timestamp: Timestamp,
        /// `started`.
        status: String,
        content: String,
    },
    /// A tool is done.
    ToolComplete {
        /// The call's id.
        tool_name: String,
        tool_use_id: String,
        timestamp: Timestamp,
        /// `completed`.
        status: String,
        /// A text, or what the tool gave.
        output: Value,
        is_error: bool,
    },
    /// The agent's list of what to do.
    TodoUpdate { todos: Vec<ChatTodo>, timestamp: Timestamp },
    /// The agent program began.
    System {
        /// `init`.
        subtype: String,
        session_id: Option<String>,
        model: Option<String>,
    },
    /// What the turn cost.
    Metadata(ChatCost),
}

/// What a turn cost.
#[derive(ToSchema)]
pub(crate) struct ChatCost {
    /// The agent's last words.
    final_content: Option<String>,
    /// Output in the shape that was asked for.
    structured_output: Option<Value>,
    /// US dollars.
    cost_usd: Option<f64>,
    duration_ms: u64,
    num_turns: u32,
    usage: ChatUsage,
    /// The same by model.
    models: HashMap<String, ModelUsageSchema>,
}

/// Any other event of a session, with its own `type` and fields: see `Event`.
#[derive(ToSchema)]
pub(crate) struct OtherPiece {
    r#type: String,
}

/// Something to do.
#[derive(ToSchema)]
pub(crate) struct ChatTodo {
    content: String,
    /// `pending`, `in_progress` or `completed`.
    status: String,
    /// The same as something that is being done.
    #[serde(rename = "activeForm")]
    active_form: String,
}

/// Tokens of a turn.
#[derive(ToSchema)]
pub(crate) struct ChatUsage {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_tokens: u64,
    cache_write_tokens: u64,
    /// Of input, cached or not, and output.
    total_tokens: u64,
}

/// What a container wrote.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum LogDatum {
    /// A piece, as it was written.
    Written {
        /// `stdout` or `stderr`.
        stream: String,
        data: String,
    },
    /// `error`: the log breaks off. `end`: nothing follows.
    Told { r#type: String, code: Option<String>, detail: Option<String> },
}

/// What a command does.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ExecDatum {
    /// A piece of its standard output, in the encoding that was asked for.
    Stdout { data: String },
    /// A piece of its standard error.
    Stderr { data: String },
    /// How it ended. Nothing follows.
    Exit {
        /// Its exit code, if it ended by itself.
        exit_code: Option<i32>,
        /// The signal that ended it, if one did.
        signal: Option<i32>,
        /// Whether its time was up.
        timed_out: bool,
        duration_ms: u64,
    },
    /// The command is not heard of any more. Nothing follows.
    Error { code: String, detail: String },
}

/// An approval as it stands, or what is left of it.
type SettledApproval = AnyOf<ApprovalView<'static>, ApprovalOfNobody>;

/// What becomes of approvals.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ApprovalDatum {
    /// It waits for an answer.
    ApprovalRequested { approval: ApprovalView<'static> },
    /// It does not any more.
    ApprovalSettled {
        #[schema(inline)]
        approval: SettledApproval,
    },
}

/// What becomes of approvals, or why the stream cannot go on.
pub(crate) type ApprovalsDatum = AnyOf<ApprovalDatum, StreamEnd>;

/// An approval that is no longer kept, as when its session was removed.
#[derive(ToSchema)]
pub(crate) struct ApprovalOfNobody {
    session_id: String,
    /// Its name within the agent.
    request_id: String,
    /// `withdrawn`.
    status: String,
}

/// Why changes of files are told no more. Nothing follows.
#[derive(ToSchema)]
pub(crate) struct ChangesEnd {
    error: Problem,
}
