//! What can happen.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{PermissionRequest, Question, RequestAnswer, Resolution, Task, TaskEnd, TodoItem};
use crate::{PermissionMode, PromptBlock, PromptId, TurnEnd, Usage};

/// What happened.
///
/// Deltas are for those who watch; every delta is followed by the finished block that contains it, so whoever reads later
/// may pass deltas over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "a terminal event is rare; boxing it would cost every reader a hop"
)]
pub enum EventBody {
    /// A turn began.
    TurnStarted {
        /// Who began it.
        origin: TurnOrigin,
        /// What was asked, for a turn that a client began.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        prompt: Vec<PromptBlock>,
    },
    /// A prompt was added to the running turn.
    PromptAdded {
        /// As whoever added it named it.
        id: PromptId,
        /// What was said.
        prompt: Vec<PromptBlock>,
    },
    /// The agent program said who it is and what it can do.
    AgentReady {
        /// The vendor's id of the conversation.
        conversation: String,
        /// The model it will use.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The permission mode it is in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        permission_mode: Option<String>,
        /// The tools that exist for the model.
        #[serde(default)]
        tools: Vec<String>,
        /// The MCP servers and whether they answer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mcp_servers: Vec<McpServerStatus>,
    },
    /// The model began a message. Where one before has deltas and no block that is whole, it broke off, and this one is in its
    /// place: then those deltas count no more.
    MessageStarted {
        /// The model API's id of the message.
        message_id: String,
        /// The model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// Tokens so far.
        #[serde(default)]
        usage: Usage,
    },
    /// Text, as it is written.
    TextDelta {
        /// The block's place in its message.
        block: u32,
        /// The next characters.
        text: String,
    },
    /// Thinking, as it is written.
    ThinkingDelta {
        /// The block's place in its message.
        block: u32,
        /// The next characters.
        text: String,
    },
    /// The model began to call a tool.
    ToolCallStarted {
        /// The block's place in its message.
        block: u32,
        /// The id of the call.
        call_id: String,
        /// The tool.
        name: String,
    },
    /// The input of a tool call, as it is written.
    ToolInputDelta {
        /// The block's place in its message.
        block: u32,
        /// The id of the call.
        call_id: String,
        /// The next characters of the input's JSON text.
        json: String,
    },
    /// The model ended a message.
    MessageEnded {
        /// Why it stopped, in the model API's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop_reason: Option<String>,
        /// Tokens of the message.
        #[serde(default)]
        usage: Usage,
    },
    /// A finished block of text.
    Text {
        /// The message it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The whole text.
        text: String,
    },
    /// A finished block of thinking.
    Thinking {
        /// The message it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The whole text.
        text: String,
        /// The model API's proof that it was the model's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// A finished tool call.
    ToolCall {
        /// The message it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The id of the call.
        call_id: String,
        /// The tool.
        name: String,
        /// The whole input.
        input: Value,
    },
    /// A finished block of a kind that has no event of its own, as it came.
    Block {
        /// The message it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The block.
        block: Value,
    },
    /// What a tool gave back.
    ToolResult {
        /// The call it answers.
        call_id: String,
        /// Whether the tool failed.
        #[serde(default)]
        is_error: bool,
        /// What the model sees: a text or a list of blocks.
        content: Value,
        /// The same as data, where the tool gives it (exit status, output streams, changed lines).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        structured: Option<Value>,
    },
    /// A user message that the agent program wrote itself (a note of an interruption, a command's output).
    Note {
        /// Its content: a text or a list of blocks.
        content: Value,
    },
    /// The list of things to do, whole, after each change.
    Todo {
        /// The list.
        items: Vec<TodoItem>,
    },
    /// A plan that the agent offers.
    Plan {
        /// The tool call that offers it.
        call_id: String,
        /// The plan, in Markdown.
        plan: String,
    },
    /// A sub-agent or a long-running command began.
    TaskStarted(Task),
    /// It came further; `extra` has what the vendor tells.
    TaskProgress(Task),
    /// It ended.
    TaskEnded(TaskEnd),
    /// Which tasks run in the background now.
    BackgroundTasks {
        /// As the vendor lists them.
        tasks: Vec<Value>,
    },
    /// A tool needs leave to run.
    PermissionRequested(PermissionRequest),
    /// The agent asks the user.
    QuestionAsked {
        /// Answer under this id.
        request_id: String,
        /// The tool call that waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<String>,
        /// One or more questions.
        questions: Vec<Question>,
    },
    /// A request was decided. Said by the control plane.
    RequestAnswered(RequestAnswer),
    /// A request was answered or withdrawn.
    RequestResolved {
        /// The request.
        request_id: String,
        /// What became of it.
        resolution: Resolution,
    },
    /// A tool was refused without anyone being asked.
    PermissionDenied {
        /// The tool.
        tool: String,
        /// The call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<String>,
        /// What the model was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A model call failed and will be tried again.
    Retry {
        /// The try that failed, from 1.
        attempt: u32,
        /// The most tries.
        #[serde(default)]
        max_attempts: u32,
        /// Milliseconds until the next.
        #[serde(default)]
        delay_ms: u64,
        /// The HTTP status, where there was an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The vendor's name of the error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What the agent is busy with, in the vendor's word; absent when with nothing.
    Status {
        /// Such as `requesting` or `compacting`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The permission mode is another now.
    ModeChanged {
        /// The new one.
        mode: PermissionMode,
    },
    /// The model is another now.
    ModelChanged {
        /// The new one.
        model: String,
    },
    /// The conversation was shortened; `extra` has what the vendor tells.
    Compacted {
        /// `manual` or `auto`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trigger: Option<String>,
        /// Tokens before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokens_before: Option<u64>,
    },
    /// The conversation goes on under another id.
    ConversationChanged {
        /// The vendor's new id.
        conversation: String,
    },
    /// Lines that the agent program added to its own record of the conversation, to restore it elsewhere: with
    /// [`Configure::transcript`](crate::Configure::transcript).
    Transcript {
        /// The file, relative to the agent's home.
        path: String,
        /// The lines.
        entries: Vec<Value>,
    },
    /// The agent program ended.
    AgentExited {
        /// Its exit code, unless a signal ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// The signal that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        /// The last of what it wrote to its standard error.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        stderr: String,
    },
    /// The session is in another state now. Said by the control plane.
    SessionChanged {
        /// `starting`, `running`, `stopping`, `stopped` or `failed`.
        status: String,
        /// Why, where that needs saying.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something people should know.
    Notice {
        /// How much it matters.
        level: NoticeLevel,
        /// One sentence.
        message: String,
    },
    /// Something the driver has no name for, as it came.
    Vendor {
        /// The driver, such as `claude`.
        source: String,
        /// The whole message.
        payload: Value,
    },
    /// The turn has been silent for longer than the control plane's patience.
    TurnStuck {
        /// What it waits for.
        on: StuckOn,
        /// How long that has been silent.
        silent_seconds: u64,
        /// One sentence for a person.
        detail: String,
    },
    /// The turn ended. Exactly one for each turn, and nothing of the turn after it.
    TurnEnded(TurnEnd),
    /// An event of a newer vocabulary than this one, as it came.
    #[serde(untagged)]
    Unknown(Map<String, Value>),
}

/// Who began a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TurnOrigin {
    /// A query.
    Client,
    /// The agent itself, when work in the background ended.
    Agent,
}

/// What a turn waits for that gets nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StuckOn {
    /// The platform, or the container on it.
    Provider,
    /// The agent server does not answer.
    AgentServer,
    /// The agent program says nothing.
    AgentProgram,
    /// The model API sends nothing.
    Model,
    /// A tool runs on and on.
    Tool,
}

/// Whether an MCP server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct McpServerStatus {
    /// Its name in the configuration.
    pub name: String,
    /// `connected`, `pending`, `failed` or another word of the vendor's.
    pub status: String,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something does not work as configured.
    Warning,
}
