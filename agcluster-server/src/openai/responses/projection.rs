//! A response as a stream of OpenAI's events.

use agcluster_core::protocol::{Event, TurnEnd};
use serde_json::{Value, json};

use super::render::{Output, Settings};
use crate::Problem;
use crate::compat::failure::{self, Finish};
use crate::compat::pieces::{Piece, Pieces};
use crate::compat::stream::Projection;
use crate::sse::Frames;

/// A response as a stream of events.
#[derive(Debug)]
pub(super) struct Events {
    settings: Settings,
    pieces: Pieces,
    output: Output,
    is_open: bool,
    seq: u64,
    /// Events up to this one are not sent.
    after: Option<u64>,
}

impl Events {
    /// From the beginning.
    pub(super) fn new(settings: Settings) -> Self {
        let (pieces, output) = (Pieces::live(), Output::default());
        Self { settings, pieces, output, is_open: false, seq: 0, after: None }
    }

    /// Behind the event of this number.
    pub(super) fn after(self, after: Option<u64>) -> Self {
        Self { after, ..self }
    }

    fn event(&mut self, frames: &mut Frames, name: &str, mut data: Value) {
        let seq = self.seq;
        self.seq += 1;
        if self.after.is_some_and(|after| seq <= after) {
            return frames.left_out();
        }
        data["sequence_number"] = seq.into();
        frames.named(name, data);
    }

    /// An event about the last item: its place is said, and that of its part where it has one in this event.
    fn about(&mut self, frames: &mut Frames, name: &str, mut data: Value) {
        let Some((item, index)) = self.output.items.last().zip(self.output.items.len().checked_sub(1)) else {
            return;
        };
        data["output_index"] = index.into();
        if !name.starts_with("response.output_item") {
            data["item_id"] = item.id.as_str().into();
            let part = if item.is_message { "content_index" } else { "summary_index" };
            data[part] = 0.into();
        }
        self.event(frames, name, data);
    }

    fn delta(&mut self, frames: &mut Frames, is_message: bool, text: &str) {
        if !self.is_open || self.output.items.last().is_some_and(|item| item.is_message != is_message) {
            self.close(frames);
            let item = self.output.begin(is_message, self.settings.turn());
            let (begun, part) = (item.render_begun(), item.part());
            self.is_open = true;
            self.about(frames, "response.output_item.added", json!({ "item": begun }));
            let added = if is_message { "content_part" } else { "reasoning_summary_part" };
            self.about(frames, &format!("response.{added}.added"), json!({ "part": part }));
        }
        if let Some(item) = self.output.items.last_mut() {
            item.text.push_str(text);
        }
        if is_message {
            self.about(frames, "response.output_text.delta", json!({ "delta": text, "logprobs": [] }));
        } else {
            self.about(frames, "response.reasoning_summary_text.delta", json!({ "delta": text }));
        }
    }

    fn close(&mut self, frames: &mut Frames) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let Some(item) = self.output.items.last() else { return };
        let (whole, part, text, is_message) =
            (item.render(), item.part(), item.text.clone(), item.is_message);
        if is_message {
            self.about(frames, "response.output_text.done", json!({ "text": text, "logprobs": [] }));
            self.about(frames, "response.content_part.done", json!({ "part": part }));
        } else {
            self.about(frames, "response.reasoning_summary_text.done", json!({ "text": text }));
            self.about(frames, "response.reasoning_summary_part.done", json!({ "part": part }));
        }
        self.about(frames, "response.output_item.done", json!({ "item": whole }));
    }

    fn end(&mut self, frames: &mut Frames, end: &TurnEnd) {
        self.close(frames);
        let (name, response) = match failure::finish(end) {
            Ok(finish) => {
                let name = if finish == Finish::Done { "response.completed" } else { "response.incomplete" };
                (name, self.settings.finished(&self.output, finish, &end.usage))
            }
            Err(problem) => ("response.failed", self.settings.failed(&self.output, &problem)),
        };
        self.event(frames, name, json!({ "response": response }));
    }

    /// Whether what is said goes on in the message that is open.
    fn is_saying(&self) -> bool {
        self.is_open && self.output.items.last().is_some_and(|item| item.is_message)
    }
}

impl Projection for Events {
    fn begin(&mut self) -> Frames {
        let mut frames = Frames::default();
        let response = self.settings.unfinished("in_progress");
        self.event(&mut frames, "response.created", json!({ "response": response.clone() }));
        self.event(&mut frames, "response.in_progress", json!({ "response": response }));
        frames
    }

    fn read(&mut self, event: &Event) -> Frames {
        let mut frames = Frames::default();
        let mut pieces = std::mem::replace(&mut self.pieces, Pieces::live());
        pieces.read(event, |piece| match piece {
            Piece::Gap if self.is_saying() => self.delta(&mut frames, true, "\n\n"),
            Piece::Gap => {}
            Piece::Text(text) => self.delta(&mut frames, true, &text),
            Piece::Thought(text) => self.delta(&mut frames, false, &text),
            Piece::Thoughtful(_) => self.delta(&mut frames, false, "\n\n"),
            Piece::Act(act) => self.delta(&mut frames, false, &act),
            Piece::End(end) => self.end(&mut frames, end),
        });
        self.pieces = pieces;
        frames
    }

    fn broken(&mut self, problem: &Problem) -> Frames {
        let mut frames = Frames::default();
        let error = json!({ "code": problem.code, "message": problem.detail, "param": null });
        self.event(&mut frames, "error", error);
        frames
    }
}

#[cfg(test)]
mod tests;
