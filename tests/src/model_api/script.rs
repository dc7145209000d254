//! The script language: directives in the user's prompt.
//!
//! A line that begins with `@@` is a directive; all other lines are ignored. Each directive is one step of the
//! model, that is, one answer to one request. The newest text of the user that has directives counts:
//!
//! | directive | what the model does in this step |
//! |---|---|
//! | `@@text hello` | answers with text and ends the turn |
//! | `@@bash touch x` | calls the tool `Bash` with that command |
//! | `@@tool Name {json}` | calls a tool, which the client must have offered |
//! | `@@rogue_tool Name {json}` | calls a tool that the client has *not* offered, as a misled model would |
//! | `@@tools [{"name":"Bash","input":{…}}, …]` | several blocks in one answer; an item may also be `{"text":"…"}` or `{"thinking":"…"}` |
//! | `@@think thought => answer` | a thinking block, then text (`=> answer` may be left out) |
//! | `@@slow 1.5 10 text` | text in 10 pieces spread over 1.5 seconds |
//! | `@@repeat 5000 word ` | the same text delta 5000 times, as fast as the client reads |
//! | `@@gate name text` | half of the text, waits until the test opens the gate `name`, then the rest |
//! | `@@max_tokens text` | text that stops at the token limit |
//! | `@@hang` | begins an answer and never sends another byte |
//! | `@@cut text` | half of the text, then the connection breaks |
//! | `@@cut_at name text` | half of the text; when the gate `name` is opened, the connection breaks |
//! | `@@error 529` | refuses with this HTTP status, every time |
//! | `@@error 529 2` | refuses the first two attempts; the third plays the next directive |
//!
//! A text or command that begins with `"` is read as a JSON string, so that it may hold line ends. When the steps
//! are used up, the model answers `Done.`. A line that begins with `@@` and is none of these is an error, so that
//! a slip in a test is seen; only `@@ ` with a blank, a hunk of a diff, is none.
//!
//! A prompt without directives gets a short friendly text. In the *demo* mode
//! ([`Options::demo`](super::Options::demo)) a prompt that asks for a program gets a canned one instead: the model
//! writes `hello.py` with the tool `Bash` or `Write`, whichever is offered, and then says so.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{ScriptError, parse};

use serde_json::Value;
use std::time::Duration;

/// One step of the model: what one request is answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Refuse the first attempts of this step with an HTTP status.
    pub refuse_first: Option<Refusal>,
    /// What is played then.
    pub action: Action,
}

/// Attempts that are refused before a step is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// How many attempts are refused.
    pub times: u32,
}

/// What the model does in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Content blocks, at full speed.
    Blocks(Vec<Block>),
    /// A call of a tool that the client did not offer.
    Rogue(ToolCall),
    /// Text in a number of pieces spread over a time.
    Slow {
        /// Time over which the pieces are spread.
        over: Duration,
        /// Number of pieces, at least one.
        pieces: usize,
        /// The whole text.
        text: String,
    },
    /// One text delta, many times.
    Repeat {
        /// How many times.
        times: u32,
        /// The delta.
        text: String,
    },
    /// Half of the text, a wait for the gate, the rest.
    Gate {
        /// Name of the gate.
        name: String,
        /// The whole text.
        text: String,
    },
    /// Text that stops at the token limit.
    MaxTokens(String),
    /// An answer that begins and never goes on.
    Hang,
    /// Half of the text, then a broken connection.
    Cut {
        /// Gate at which the break waits.
        gate: Option<String>,
        /// The whole text.
        text: String,
    },
    /// This HTTP status, every time.
    Refuse(u16),
}

/// One content block of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text for the user.
    Text(String),
    /// Reasoning before the answer.
    Thinking(String),
    /// A call of a tool.
    Tool(ToolCall),
}

/// A tool and what it is called with.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Name as in the request's `tools`.
    pub name: String,
    /// Its input, a JSON object.
    pub input: Value,
}
