//! Messages as Anthropic's clients read them: whole, and as a stream of blocks. What the agent does is told as thinking: a
//! `tool_use` block would have the client run the tool.

use agcluster_core::protocol::{Event, TurnId, Usage};
use serde_json::{Value, json};

use super::error;
use crate::Problem;
use crate::compat::answer::Part;
use crate::compat::failure::{self, Finish};
use crate::compat::pieces::{Piece, Pieces};
use crate::compat::stream::Projection;
use crate::sse::Frames;

/// A whole message.
pub(super) fn message(turn: TurnId, model: &str, parts: &[Part], finish: Finish, used: &Usage) -> Value {
    let block = |part: &Part| match part {
        Part::Text(text) => json!({ "type": "text", "text": text, "citations": null }),
        Part::Thought(text, proof) => {
            json!({ "type": "thinking", "thinking": text, "signature": proof.as_deref().unwrap_or_default() })
        }
        Part::Acts(acts) => json!({ "type": "thinking", "thinking": acts, "signature": "" }),
    };
    let mut message = head(turn, model);
    message["content"] = parts.iter().map(block).collect();
    message["stop_reason"] = reason(finish).into();
    message["usage"] = usage(used);
    message
}

fn head(turn: TurnId, model: &str) -> Value {
    json!({
        "id": format!("msg_{}", turn.0.simple()),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(&Usage::default()),
    })
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Done => "end_turn",
        Finish::Limit | Finish::Interrupted => "max_tokens",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
    })
}

/// A message as a stream of blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    turn: TurnId,
    model: String,
    pieces: Pieces,
    open: Option<Kind>,
    index: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Acts,
}

impl Blocks {
    /// From the beginning.
    pub(super) fn new(turn: TurnId, model: String) -> Self {
        Self { turn, model, pieces: Pieces::live(), open: None, index: 0 }
    }

    fn delta(&mut self, frames: &mut Frames, kind: Kind, text: &str) {
        if self.open != Some(kind) {
            self.close(frames);
            let block = match kind {
                Kind::Text => json!({ "type": "text", "text": "" }),
                Kind::Thought | Kind::Acts => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            };
            frames.named("content_block_start", json!({ "index": self.index, "content_block": block }));
            self.open = Some(kind);
        }
        let delta = match kind {
            Kind::Text => json!({ "type": "text_delta", "text": text }),
            Kind::Thought | Kind::Acts => json!({ "type": "thinking_delta", "thinking": text }),
        };
        frames.named("content_block_delta", json!({ "index": self.index, "delta": delta }));
    }

    fn proof(&mut self, frames: &mut Frames, proof: Option<&str>) {
        if let (Some(Kind::Thought), Some(proof)) = (self.open, proof) {
            let delta = json!({ "type": "signature_delta", "signature": proof });
            frames.named("content_block_delta", json!({ "index": self.index, "delta": delta }));
        }
        self.close(frames);
    }

    fn close(&mut self, frames: &mut Frames) {
        if self.open.take().is_some() {
            frames.named("content_block_stop", json!({ "index": self.index }));
            self.index += 1;
        }
    }

    fn end(&mut self, frames: &mut Frames, finish: Finish, used: &Usage) {
        self.close(frames);
        let delta = json!({ "stop_reason": reason(finish), "stop_sequence": null });
        frames.named("message_delta", json!({ "delta": delta, "usage": usage(used) }));
        frames.named("message_stop", json!({}));
    }
}

impl Projection for Blocks {
    fn begin(&mut self) -> Frames {
        let mut frames = Frames::default();
        frames.named("message_start", json!({ "message": head(self.turn, &self.model) }));
        frames.named("ping", json!({}));
        frames
    }

    fn read(&mut self, event: &Event) -> Frames {
        let mut frames = Frames::default();
        let mut pieces = std::mem::replace(&mut self.pieces, Pieces::live());
        pieces.read(event, |piece| match piece {
            Piece::Gap => self.close(&mut frames),
            Piece::Text(text) => self.delta(&mut frames, Kind::Text, &text),
            Piece::Thought(text) => self.delta(&mut frames, Kind::Thought, &text),
            Piece::Thoughtful(proof) => self.proof(&mut frames, proof),
            Piece::Act(act) => self.delta(&mut frames, Kind::Acts, &act),
            Piece::End(end) => match failure::finish(end) {
                Ok(finish) => self.end(&mut frames, finish, &end.usage),
                Err(problem) => broken(&mut frames, &problem),
            },
        });
        self.pieces = pieces;
        frames
    }

    fn broken(&mut self, problem: &Problem) -> Frames {
        let mut frames = Frames::default();
        broken(&mut frames, problem);
        frames
    }
}

fn broken(frames: &mut Frames, problem: &Problem) {
    frames.named("error", error::body(problem));
}

#[cfg(test)]
mod tests;
