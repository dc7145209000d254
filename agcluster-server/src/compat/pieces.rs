//! A turn's events as pieces of an answer: what the agent says, what it thinks, what it does.

use std::borrow::Cow;
use std::fmt::Write;

use agcluster_core::protocol::{Event, EventBody, TurnEnd};
use serde_json::Value;

use crate::projections::chat_frames;

/// The most characters of a tool's input, and of its output, that are shown.
const INPUT: usize = 400;
const OUTPUT: usize = 800;

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece<'e> {
    /// A text begins that is not the first.
    Gap,
    /// The next characters of what the agent says.
    Text(Cow<'e, str>),
    /// The next characters of what it thinks.
    Thought(Cow<'e, str>),
    /// A thought is finished; with the model API's proof of it.
    Thoughtful(Option<&'e str>),
    /// What it does: lines for a person.
    Act(String),
    /// The turn is over.
    End(&'e TurnEnd),
}

/// Reads the events of one turn in order.
#[derive(Debug)]
pub(crate) struct Pieces {
    live: bool,
    /// Of the block that is being written.
    text: String,
    thought: usize,
    said: bool,
}

impl Pieces {
    /// For a reader who watches: every character at once.
    pub(crate) fn live() -> Self {
        Self { live: true, text: String::new(), thought: 0, said: false }
    }

    /// For a reader who waits for the end: finished blocks only.
    pub(crate) fn whole() -> Self {
        Self { live: false, ..Self::live() }
    }

    /// The pieces of the next event.
    pub(crate) fn read<'e>(&mut self, event: &'e Event, mut tell: impl FnMut(Piece<'e>)) {
        // Of what a sub-agent does only the acts are shown: what it says is said to the agent.
        let is_own = event.parent.is_none();
        match &event.body {
            EventBody::MessageStarted { .. } if is_own => {
                self.text.clear();
                self.thought = 0;
            }
            EventBody::TextDelta { text, .. } if is_own => {
                if self.live {
                    self.gap(&mut tell);
                    tell(Piece::Text(text.into()));
                    self.said = true;
                }
                self.text.push_str(text);
            }
            EventBody::Text { text, .. } if is_own => {
                // What the deltas have told already is not told again.
                let told = if self.live { std::mem::take(&mut self.text).len() } else { 0 };
                if told == 0 {
                    self.gap(&mut tell);
                }
                self.text.clear();
                if let Some(rest) = text.get(told..).filter(|rest| !rest.is_empty()) {
                    tell(Piece::Text(rest.into()));
                    self.said = true;
                }
            }
            EventBody::ThinkingDelta { text, .. } if is_own && self.live => {
                tell(Piece::Thought(text.into()));
                self.thought += text.len();
            }
            EventBody::Thinking { text, signature, .. } if is_own => {
                let told = std::mem::take(&mut self.thought);
                if let Some(rest) = text.get(told..).filter(|rest| !rest.is_empty()) {
                    tell(Piece::Thought(rest.into()));
                }
                tell(Piece::Thoughtful(signature.as_deref()));
            }
            EventBody::TurnEnded(end) => {
                if !self.live && !self.text.is_empty() {
                    // What it was about to say when it was ended.
                    self.gap(&mut tell);
                    tell(Piece::Text(std::mem::take(&mut self.text).into()));
                }
                tell(Piece::End(end));
            }
            other => {
                if let Some(act) = act(other) {
                    tell(Piece::Act(act));
                }
            }
        }
    }

    fn gap<'e>(&mut self, tell: &mut impl FnMut(Piece<'e>)) {
        if self.said && (self.text.is_empty() || !self.live) {
            tell(Piece::Gap);
        }
    }
}

/// What is done in an event, in words.
fn act(body: &EventBody) -> Option<String> {
    match body {
        EventBody::ToolCall { name, input, .. } => Some(format!("{name} {}\n", short(&brief(input), INPUT))),
        EventBody::ToolResult { is_error, content, .. } => {
            let output = match chat_frames::plain(content) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let mark = if *is_error { "failed:" } else { "→" };
            Some(format!("{mark} {}\n\n", short(output.trim(), OUTPUT)))
        }
        EventBody::PermissionRequested(asked) => {
            Some(format!("{} waits for leave to run (request {}).\n", asked.tool, asked.request_id))
        }
        EventBody::QuestionAsked { request_id, questions, .. } => {
            let mut text = String::new();
            for question in questions {
                let _ = writeln!(text, "{} (request {request_id})", question.question);
            }
            Some(text)
        }
        _ => None,
    }
}

/// A tool's input as short as it can be said: the one thing that it is about, or all of it.
fn brief(input: &Value) -> String {
    let fields = input.as_object();
    let main = ["command", "file_path", "path", "pattern", "url", "query"];
    let main = main.iter().find_map(|name| fields?.get(*name)?.as_str());
    main.map_or_else(|| input.to_string(), str::to_owned)
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
