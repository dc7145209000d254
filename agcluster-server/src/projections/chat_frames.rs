//! A turn in the frames of `/api/agents/chat`, as clients of the earlier system know them: `message`, then one of
//! `complete` and `error`, then `[DONE]`.
//!
//! Finished blocks come in the shapes those clients read (`content`, `thinking`, `tool_use`, `tool_complete`,
//! `todo_update`, `system`, `metadata`). Everything else comes as a `message` whose `msg_type` is the event's own type, so
//! that nothing is missing and nothing is mistaken for content.

use agcluster_core::journal::Record;
use agcluster_core::protocol::event::TodoItem;
use agcluster_core::protocol::{Event, EventBody, Outcome, TurnEnd, Usage};
use serde_json::{Value, json};

use crate::Problem;
use crate::sse::Frames;

/// What follows the terminal frame.
pub(crate) const DONE: &[u8] = b"[DONE]";

/// The frames of one record.
pub(crate) fn frames(record: &Record) -> Frames {
    let mut frames = Frames::default();
    match &record.event.body {
        EventBody::TurnEnded(end) => {
            frames.data(message("metadata", metadata(end)).to_string().as_bytes());
            frames.data(terminal(&end.outcome).to_string().as_bytes());
            frames.data(DONE);
        }
        _ => frames.data(body(&record.event).to_string().as_bytes()),
    }
    frames
}

/// The frames of a stream that cannot go on.
pub(crate) fn broken(problem: &Problem) -> Frames {
    let mut error = json!({ "type": "error", "message": problem.detail, "code": problem.code });
    if let Some(earliest) = problem.earliest {
        error["earliest"] = earliest.into();
    }
    let mut frames = Frames::default();
    frames.data(error.to_string().as_bytes());
    frames.data(DONE);
    frames
}

fn message(kind: &str, mut data: Value) -> Value {
    data["type"] = kind.into();
    json!({ "type": "message", "msg_type": kind, "data": data })
}

fn body(event: &Event) -> Value {
    let at = event.at;
    let mut frame = match &event.body {
        EventBody::Text { text, .. } => message("content", json!({ "role": "assistant", "content": text })),
        EventBody::Thinking { text, .. } => message("thinking", json!({ "content": text, "timestamp": at })),
        EventBody::TextDelta { text, .. } => message("content_delta", json!({ "text": text })),
        EventBody::ThinkingDelta { text, .. } => message("thinking_delta", json!({ "text": text })),
        EventBody::ToolCall { call_id, name, input, .. } => message(
            "tool_use",
            json!({
                "tool_name": name, "tool_use_id": call_id, "tool_input": input, "timestamp": at,
                "status": "started", "content": format!("Using tool: {name}"),
            }),
        ),
        EventBody::ToolResult { call_id, is_error, content, .. } => message(
            "tool_complete",
            json!({
                // Where the earlier system put the call's id, its clients look for it.
                "tool_name": call_id, "tool_use_id": call_id, "timestamp": at,
                "status": "completed", "output": plain(content), "is_error": is_error,
            }),
        ),
        EventBody::Todo { items } => {
            message("todo_update", json!({ "todos": todos(items), "timestamp": at }))
        }
        EventBody::AgentReady { conversation, model, .. } => {
            message("system", json!({ "subtype": "init", "session_id": conversation, "model": model }))
        }
        other => other_event(other),
    };
    if let Some(parent) = &event.parent {
        frame["data"]["parent_tool_use_id"] = parent.as_str().into();
    }
    frame
}

/// An event without a shape of its own here: its own fields under its own name.
fn other_event(body: &EventBody) -> Value {
    let data = serde_json::to_value(body).unwrap_or_default();
    let kind = data.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    message(&kind, data)
}

/// Every field, also the one that [`TodoItem`] leaves out when it is absent: earlier clients read it.
fn todos(items: &[TodoItem]) -> Vec<Value> {
    let todo = |item: &TodoItem| {
        json!({
            "content": item.content,
            "status": item.status,
            "activeForm": item.active_form.as_deref().unwrap_or(&item.content),
        })
    };
    items.iter().map(todo).collect()
}

/// A tool's result as text, where it is a text or blocks of text.
pub(crate) fn plain(content: &Value) -> Value {
    let Some(blocks) = content.as_array() else { return content.clone() };
    let texts: Option<Vec<&str>> =
        blocks.iter().map(|block| block.get("text").and_then(Value::as_str)).collect();
    texts.map_or_else(|| content.clone(), |texts| texts.join("\n").into())
}

/// What a turn cost.
pub(crate) fn metadata(end: &TurnEnd) -> Value {
    json!({
        "final_content": end.result,
        "structured_output": end.structured_output,
        "cost_usd": end.cost_usd,
        "duration_ms": end.duration_ms,
        "num_turns": end.model_calls,
        "usage": usage(&end.usage),
        "models": end.models,
    })
}

/// Tokens, with the total that earlier clients read.
pub(crate) fn usage(usage: &Usage) -> Value {
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "total_tokens": input + usage.output_tokens,
    })
}

fn terminal(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Completed => json!({ "type": "complete", "status": "success" }),
        Outcome::Interrupted => json!({ "type": "complete", "status": "interrupted" }),
        Outcome::Limit { which } => json!({ "type": "complete", "status": "limit", "limit": which }),
        Outcome::Failed { reason, message } => json!({ "type": "error", "message": message, "code": reason }),
    }
}

#[cfg(test)]
mod tests;
