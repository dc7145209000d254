//! An answer as server-sent events, and as one JSON message.

#[cfg(test)]
mod tests;

use super::id::{Ids, signature};
use super::reply::{Pace, Reply};
use super::script::Block;
use super::usage::{Usage, tokens};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// Characters of a delta where the script does not say.
const DELTA_CHARS: usize = 16;

/// One thing to do in sending an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    Send(Bytes),
    SendOften(Bytes, u32),
    Wait(Duration),
    Gate(String),
    Hang,
    Break,
}

/// Everything to send, and to wait for, in order.
pub(super) fn frames(message: &Message, reply: &Reply) -> VecDeque<Frame> {
    let mut frames = VecDeque::new();
    let mut start = message.to_json(Vec::new(), Value::Null, message.usage);
    start["usage"]["output_tokens"] = json!(1);
    frames.push_back(event("message_start", &json!({"type": "message_start", "message": start})));
    for (index, block) in reply.blocks.iter().enumerate() {
        push_block(&mut frames, index, block, message.block_id(index), &reply.pace);
    }
    let usage = message.usage.with_output(output_tokens(reply));
    let delta = json!({"stop_reason": reply.stop.as_str(), "stop_sequence": null});
    let end = json!({"type": "message_delta", "delta": delta, "usage": usage});
    frames.push_back(event("message_delta", &end));
    frames.push_back(event("message_stop", &json!({"type": "message_stop"})));
    frames
}

/// The answer to a request that does not stream.
pub(super) fn whole(message: &Message, reply: &Reply) -> Value {
    let content = reply.blocks.iter().enumerate().map(|(index, block)| match block {
        Block::Text(text) => {
            let times = if let Pace::Repeat(times) = reply.pace { times as usize } else { 1 };
            json!({"type": "text", "text": text.repeat(times)})
        }
        Block::Thinking(thought) => {
            json!({"type": "thinking", "thinking": thought, "signature": signature(thought)})
        }
        Block::Tool(call) => {
            json!({"type": "tool_use", "id": message.block_id(index), "name": call.name, "input": call.input})
        }
    });
    let usage = message.usage.with_output(output_tokens(reply));
    message.to_json(content.collect(), json!(reply.stop.as_str()), usage)
}

/// The parts of an answer that are not the script's.
#[derive(Debug)]
pub(super) struct Message {
    id: String,
    model: String,
    usage: Usage,
    block_ids: Vec<String>,
}

impl Message {
    pub(super) fn new(ids: &Ids, body: &Value, reply: &Reply) -> Self {
        Self {
            id: ids.next("msg"),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            usage: Usage::of_request(body),
            block_ids: reply.blocks.iter().map(|_| ids.next("toolu")).collect(),
        }
    }

    fn block_id(&self, index: usize) -> &str {
        self.block_ids.get(index).map_or("", String::as_str)
    }

    fn to_json(&self, content: Vec<Value>, stop_reason: Value, usage: Usage) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": usage,
        })
    }
}

fn push_block(frames: &mut VecDeque<Frame>, index: usize, block: &Block, id: &str, pace: &Pace) {
    let (empty, deltas) = match block {
        Block::Text(text) => {
            let deltas =
                pieces(text, pace).into_iter().map(|text| json!({"type": "text_delta", "text": text}));
            (json!({"type": "text", "text": ""}), deltas.collect::<Vec<_>>())
        }
        Block::Thinking(thought) => {
            let deltas = split(thought, DELTA_CHARS).into_iter();
            let deltas = deltas.map(|text| json!({"type": "thinking_delta", "thinking": text}));
            let sign = json!({"type": "signature_delta", "signature": signature(thought)});
            (json!({"type": "thinking", "thinking": "", "signature": ""}), deltas.chain([sign]).collect())
        }
        Block::Tool(call) => {
            // The vendor begins with an empty piece, and an empty input is nothing else.
            let input = if call.input == json!({}) { String::new() } else { call.input.to_string() };
            let parts = [String::new()].into_iter().chain(split(&input, DELTA_CHARS));
            let deltas = parts.map(|part| json!({"type": "input_json_delta", "partial_json": part}));
            (json!({"type": "tool_use", "id": id, "name": call.name, "input": {}}), deltas.collect())
        }
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": empty});
    frames.push_back(event("content_block_start", &start));
    if index == 0 {
        frames.push_back(event("ping", &json!({"type": "ping"})));
    }
    let delta = |delta: &Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let count = deltas.len();
    for (number, piece) in deltas.iter().enumerate() {
        let sent = event("content_block_delta", &delta(piece));
        match (pace, sent) {
            (Pace::Hang, _) => {}
            (Pace::Repeat(times), Frame::Send(bytes)) => frames.push_back(Frame::SendOften(bytes, *times)),
            (_, sent) => frames.push_back(sent),
        }
        let middle = number + 1 == count.div_ceil(2);
        match pace {
            Pace::Spread { over, .. } => {
                frames.push_back(Frame::Wait(*over / u32::try_from(count).unwrap_or(u32::MAX)));
            }
            Pace::Gate(name) if middle => frames.push_back(Frame::Gate(name.clone())),
            Pace::Cut(gate) if middle => {
                frames.extend(gate.clone().map(Frame::Gate));
                frames.push_back(Frame::Break);
            }
            Pace::Hang if middle => frames.push_back(Frame::Hang),
            _ => {}
        }
    }
    frames.push_back(event("content_block_stop", &json!({"type": "content_block_stop", "index": index})));
}

/// The deltas of a text.
fn pieces(text: &str, pace: &Pace) -> Vec<String> {
    let chars = text.chars().count();
    match pace {
        Pace::Repeat(_) => vec![text.to_owned()],
        Pace::Spread { pieces, .. } => split_evenly(text, (*pieces).clamp(1, chars)),
        // There must be two halves.
        Pace::Gate(_) | Pace::Cut(_) => split_evenly(text, chars.min(2)),
        Pace::Full | Pace::Hang => split(text, DELTA_CHARS),
    }
}

fn split(text: &str, chars: usize) -> Vec<String> {
    split_evenly(text, text.chars().count().div_ceil(chars))
}

/// Cuts a text into so many pieces, whose lengths differ by one character at most.
fn split_evenly(text: &str, pieces: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let cut = |piece: usize| chars.len() * piece / pieces;
    (0..pieces).map(|piece| chars[cut(piece)..cut(piece + 1)].iter().collect()).collect()
}

fn output_tokens(reply: &Reply) -> u64 {
    let times = if let Pace::Repeat(times) = reply.pace { u64::from(times) } else { 1 };
    let of_block = |block: &Block| match block {
        Block::Text(text) => tokens(text) * times,
        Block::Thinking(thought) => tokens(thought),
        Block::Tool(call) => tokens(&call.name) + tokens(&call.input.to_string()),
    };
    reply.blocks.iter().map(of_block).sum()
}

fn event(name: &str, data: &Value) -> Frame {
    Frame::Send(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
