//! The parts of messages.

use agcluster_protocol::PromptBlock;
use agcluster_protocol::event::NoticeLevel;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Block {
    /// What it is.
    #[serde(flatten)]
    pub body: BlockBody,
    /// For something a sub-agent did: the tool call that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// What a part of a message is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BlockBody {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Its kind, such as `image/png`.
        media_type: String,
        /// The file, in base64.
        data: String,
    },
    /// A document.
    Document {
        /// Its kind, such as `application/pdf`.
        media_type: String,
        /// The file, in base64.
        data: String,
        /// What it is called.
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// What the model thought.
    Thinking {
        /// The text.
        text: String,
    },
    /// A tool call.
    ToolCall {
        /// Its id.
        call_id: String,
        /// The tool.
        name: String,
        /// The input.
        input: Value,
        /// What came of it; absent while nothing has, and when that came only after the message.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<ToolResult>,
    },
    /// What came of a tool call in an earlier message.
    ToolResult {
        /// The call.
        call_id: String,
        /// What came of it.
        #[serde(flatten)]
        result: ToolResult,
    },
    /// Something people should know.
    Notice {
        /// How much it matters.
        level: NoticeLevel,
        /// One sentence.
        message: String,
    },
    /// What the agent program itself told the model.
    Note {
        /// A text or a list of blocks.
        content: Value,
    },
    /// A block that has no name here, as it came.
    Other {
        /// The block.
        block: Value,
    },
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ToolResult {
    /// Whether the tool failed.
    pub is_error: bool,
    /// What the model saw: a text or a list of blocks.
    pub content: Value,
}

impl From<&PromptBlock> for BlockBody {
    fn from(block: &PromptBlock) -> Self {
        match block.clone() {
            PromptBlock::Text { text } => Self::Text { text },
            PromptBlock::Image { media_type, data } => Self::Image { media_type, data },
            PromptBlock::Document { media_type, data, title } => Self::Document { media_type, data, title },
        }
    }
}
