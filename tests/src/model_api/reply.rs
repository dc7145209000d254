//! What the model answers: blocks, why it stops, and how fast it speaks.

use super::script::Block;
use std::time::Duration;

/// One answer of the model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) blocks: Vec<Block>,
    pub(super) stop: Stop,
    pub(super) pace: Pace,
}

/// Why the model stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    EndTurn,
    ToolUse,
    MaxTokens,
}

impl Stop {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
        }
    }
}

/// How the answer is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pace {
    /// As fast as the client reads.
    Full,
    /// In pieces spread over a time.
    Spread { over: Duration, pieces: usize },
    /// The text again and again.
    Repeat(u32),
    /// A wait for the gate in the middle.
    Gate(String),
    /// Nothing after the beginning.
    Hang,
    /// A broken connection in the middle, after a wait for the gate when there is one.
    Cut(Option<String>),
}

impl Reply {
    /// An answer at full speed; it stops for its tool calls when it has any.
    pub(super) fn of(blocks: Vec<Block>) -> Self {
        let calls = blocks.iter().any(|block| matches!(block, Block::Tool(_)));
        let stop = if calls { Stop::ToolUse } else { Stop::EndTurn };
        Self { blocks, stop, pace: Pace::Full }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(vec![Block::Text(text.into())])
    }

    pub(super) fn paced(text: String, pace: Pace) -> Self {
        Self { pace, ..Self::text(text) }
    }
}
