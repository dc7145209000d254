//! Turns: asking, being accepted, interrupting, changing settings in between.

use serde::{Deserialize, Serialize};

use crate::{PermissionMode, TurnId};

/// The body of `POST /query`: one prompt, which starts one turn.
///
/// Sending the same turn id again while the agent server still knows it starts nothing and gives the first answer, so a
/// lost answer may be retried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Chosen by the caller.
    pub turn: TurnId,
    /// The generation the caller means; another one than the agent server's is refused.
    pub generation: u32,
    /// What the user says.
    pub prompt: Vec<PromptBlock>,
}

/// One part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PromptBlock {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The file, in base64 with padding.
        data: String,
    },
    /// A document.
    Document {
        /// `application/pdf`.
        media_type: String,
        /// The file, in base64 with padding.
        data: String,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
}

impl PromptBlock {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// The answer of `POST /query`: the turn has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The turn.
    pub turn: TurnId,
    /// The cursor from which `GET /events` gives the turn's first event.
    pub after: u64,
}

/// The body of `POST /interrupt`, which may be left out: then it means whichever turn runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    /// The turn to end. When that one does not run (any more), the request is refused with
    /// [`idle`](crate::codes::IDLE), whatever else runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
}

/// The answer of `POST /interrupt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// The turn that is being ended; its terminal event follows in the stream.
    pub turn: TurnId,
}

/// The body of `POST /settings`. A field that is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// The model for the next model calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The permission mode from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
}
