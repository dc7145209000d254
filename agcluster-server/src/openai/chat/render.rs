//! Chat completions as OpenAI's clients read them: whole, and in chunks.

use agcluster_core::protocol::{Event, TurnEnd, TurnId, Usage};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::error;
use crate::compat::answer::{self, Part};
use crate::compat::begun;
use crate::compat::failure::{self, Finish};
use crate::compat::pieces::{Piece, Pieces};
use crate::compat::stream::Projection;
use crate::projections::chat_frames::DONE;
use crate::sse::Frames;
use crate::{Problem, sse};

/// What every part of one completion has.
#[derive(Debug)]
pub(super) struct Head {
    id: String,
    created: i64,
    model: String,
}

impl Head {
    /// Of a turn.
    pub(super) fn of(turn: TurnId, model: String) -> Self {
        let id = turn.0.simple().to_string();
        Self { id: format!("chatcmpl-{}", &id[20..]), created: begun(turn), model }
    }

    /// Of an answer that no turn gave.
    pub(super) fn of_helper(model: String) -> Self {
        Self::of(TurnId::generate(), model)
    }
}

/// A whole completion.
pub(super) fn whole(head: &Head, parts: &[Part], end: &TurnEnd, finish: Finish) -> Json<Value> {
    let (text, reasoning) = (answer::text(parts), answer::reasoning(parts));
    completion(head, &text, &reasoning, reason(finish), &end.usage)
}

/// A whole completion that no turn gave.
pub(super) fn said(head: &Head, text: &str) -> Response {
    completion(head, text, "", reason(Finish::Done), &Usage::default()).into_response()
}

/// The same in chunks.
pub(super) fn said_stream(head: Head, text: &str, with_usage: bool) -> Response {
    let mut chunks = Chunks::new(head, with_usage);
    let mut frames = chunks.begin();
    chunks.text(&mut frames, text);
    chunks.end(&mut frames, Finish::Done, &Usage::default());
    sse::response(futures::stream::iter([frames.plain()]))
}

fn completion(head: &Head, text: &str, reasoning: &str, reason: &str, usage: &Usage) -> Json<Value> {
    let mut message = json!({ "role": "assistant", "content": text, "refusal": null });
    if !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    Json(json!({
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": reason }],
        "usage": self::usage(usage),
    }))
}

/// An answer that is cut off, for whatever reason, is one whose length came to an end.
fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Done => "stop",
        Finish::Limit | Finish::Interrupted => "length",
    }
}

fn usage(usage: &Usage) -> Value {
    let prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": { "cached_tokens": usage.cache_read_tokens },
    })
}

/// A completion in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    head: Head,
    with_usage: bool,
    pieces: Pieces,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
}

impl Chunks {
    /// From the beginning.
    pub(super) fn new(head: Head, with_usage: bool) -> Self {
        Self { head, with_usage, pieces: Pieces::live() }
    }

    fn chunk(&self, frames: &mut Frames, choices: &[Choice<'_>], usage: Option<Value>) {
        let Head { id, created, model } = &self.head;
        let object = "chat.completion.chunk";
        // Whoever wants the usage is told in every chunk that it is not known yet.
        let usage = usage.or_else(|| self.with_usage.then_some(Value::Null));
        let chunk = Chunk { id, object, created: *created, model, choices, usage };
        let json = serde_json::to_vec(&chunk).unwrap_or_default();
        frames.data(&json);
    }

    fn delta(&self, frames: &mut Frames, delta: Delta<'_>) {
        self.chunk(frames, &[Choice { index: 0, delta, finish_reason: None }], None);
    }

    fn text(&self, frames: &mut Frames, text: &str) {
        self.delta(frames, Delta { content: Some(text), ..Delta::default() });
    }

    fn reasoning(&self, frames: &mut Frames, text: &str) {
        self.delta(frames, Delta { reasoning_content: Some(text), ..Delta::default() });
    }

    fn end(&self, frames: &mut Frames, finish: Finish, usage: &Usage) {
        let choice = Choice { index: 0, delta: Delta::default(), finish_reason: Some(reason(finish)) };
        self.chunk(frames, &[choice], None);
        if self.with_usage {
            self.chunk(frames, &[], Some(self::usage(usage)));
        }
        frames.data(DONE);
    }
}

impl Projection for Chunks {
    fn begin(&mut self) -> Frames {
        let mut frames = Frames::default();
        let delta = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
        self.delta(&mut frames, delta);
        frames
    }

    fn read(&mut self, event: &Event) -> Frames {
        let mut frames = Frames::default();
        let mut pieces = std::mem::replace(&mut self.pieces, Pieces::live());
        pieces.read(event, |piece| match piece {
            Piece::Gap => self.text(&mut frames, "\n\n"),
            Piece::Text(text) => self.text(&mut frames, &text),
            Piece::Thought(text) => self.reasoning(&mut frames, &text),
            Piece::Thoughtful(_) => self.reasoning(&mut frames, "\n\n"),
            Piece::Act(act) => self.reasoning(&mut frames, &act),
            Piece::End(end) => match failure::finish(end) {
                Ok(finish) => self.end(&mut frames, finish, &end.usage),
                Err(problem) => frames.append(broken(&problem)),
            },
        });
        self.pieces = pieces;
        frames
    }

    fn broken(&mut self, problem: &Problem) -> Frames {
        broken(problem)
    }
}

fn broken(problem: &Problem) -> Frames {
    let mut frames = Frames::default();
    frames.data(error::body(problem).to_string().as_bytes());
    frames.data(DONE);
    frames
}

#[cfg(test)]
mod tests;
