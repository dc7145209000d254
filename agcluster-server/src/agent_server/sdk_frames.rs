//! Events as the messages that Claude's SDK gives, which clients of the earlier agent server read.

use agcluster_core::protocol::{Event, EventBody, Outcome, PromptBlock, TurnEnd};
use agcluster_core::session::SessionId;
use serde_json::{Value, json};

use super::whose::uuid_of;
use crate::Problem;
use crate::compat::stream::Projection;
use crate::projections::chat_frames;
use crate::sse::Frames;

/// The frames of one turn.
pub(super) struct SdkFrames {
    session: SessionId,
}

impl SdkFrames {
    pub(super) fn new(session: SessionId) -> Self {
        Self { session }
    }
}

impl Projection for SdkFrames {
    fn begin(&mut self) -> Frames {
        Frames::default()
    }

    fn read(&mut self, event: &Event) -> Frames {
        let mut frames = Frames::default();
        if let Some(message) = message(&self.session, event) {
            frames.data(message.to_string().as_bytes());
        }
        if let EventBody::TurnEnded(end) = &event.body {
            frames.data(last(&end.outcome).to_string().as_bytes());
        }
        frames
    }

    fn broken(&mut self, problem: &Problem) -> Frames {
        let mut frames = Frames::default();
        frames.data(failed(&problem.detail).to_string().as_bytes());
        frames
    }
}

/// What ends a stream.
fn last(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Failed { message, .. } => failed(message),
        _ => json!({ "done": true }),
    }
}

fn failed(why: &str) -> Value {
    json!({ "type": "error", "content": why, "done": true })
}

/// An event as a message of the SDK; nothing for what has no place among those, such as pieces of a message that follows whole.
pub(super) fn message(session: &SessionId, event: &Event) -> Option<Value> {
    let mut message = match &event.body {
        EventBody::TurnStarted { prompt, .. } | EventBody::PromptAdded { prompt, .. }
            if !prompt.is_empty() =>
        {
            said("user", Value::Array(prompt.iter().map(prompt_block).collect()))
        }
        EventBody::Text { message_id, text } => {
            assistant(message_id.as_deref(), json!({ "type": "text", "text": text }))
        }
        EventBody::Thinking { message_id, text, signature } => assistant(
            message_id.as_deref(),
            json!({ "type": "thinking", "thinking": text, "signature": signature }),
        ),
        EventBody::ToolCall { message_id, call_id, name, input } => assistant(
            message_id.as_deref(),
            json!({ "type": "tool_use", "id": call_id, "name": name, "input": input }),
        ),
        EventBody::Block { message_id, block } => assistant(message_id.as_deref(), block.clone()),
        EventBody::ToolResult { call_id, is_error, content, .. } => said(
            "user",
            json!([{ "type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error }]),
        ),
        EventBody::AgentReady { model, permission_mode, tools, .. } => json!({
            "type": "system", "subtype": "init", "model": model, "permissionMode": permission_mode, "tools": tools,
        }),
        EventBody::TurnEnded(end) => result(end),
        _ => return None,
    };
    message["session_id"] = uuid_of(session).into();
    message["parent_tool_use_id"] = event.parent.as_deref().into();
    Some(message)
}

fn said(role: &str, content: Value) -> Value {
    json!({ "type": role, "message": { "role": role, "content": content } })
}

fn assistant(id: Option<&str>, block: Value) -> Value {
    let mut message = said("assistant", json!([block]));
    message["message"]["id"] = id.into();
    message
}

fn prompt_block(block: &PromptBlock) -> Value {
    match block {
        PromptBlock::Text { text } => json!({ "type": "text", "text": text }),
        PromptBlock::Image { media_type, data } => {
            let source = json!({ "type": "base64", "media_type": media_type, "data": data });
            json!({ "type": "image", "source": source })
        }
        other => json!(other),
    }
}

fn result(end: &TurnEnd) -> Value {
    let (subtype, is_error) = match &end.outcome {
        Outcome::Completed => ("success", false),
        Outcome::Limit { .. } => ("error_max_turns", true),
        Outcome::Interrupted | Outcome::Failed { .. } => ("error_during_execution", true),
    };
    json!({
        "type": "result", "subtype": subtype, "is_error": is_error, "result": end.result,
        "duration_ms": end.duration_ms, "num_turns": end.model_calls, "total_cost_usd": end.cost_usd,
        "usage": chat_frames::usage(&end.usage),
    })
}

#[cfg(test)]
mod tests {
    use agcluster_core::protocol::event::TurnOrigin;
    use agcluster_core::protocol::{FailureReason, TurnId};
    use jiff::Timestamp;
    use serde_json::Map;

    use super::*;

    fn frames(body: EventBody) -> Vec<Value> {
        let event = Event {
            seq: 7,
            generation: 1,
            at: Timestamp::UNIX_EPOCH,
            turn: Some(TurnId::generate()),
            parent: None,
            extra: Map::new(),
            body,
        };
        let text = SdkFrames::new(SessionId::from_text("conv-s")).read(&event).plain();
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| data.parse().unwrap())
            .collect()
    }

    #[test]
    fn blocks_are_messages_of_the_sdk_and_pieces_of_them_are_left_out() {
        let prompt = vec![PromptBlock::text("hi")];
        let started = frames(EventBody::TurnStarted { origin: TurnOrigin::Client, prompt });
        assert_eq!(started[0]["message"]["content"], json!([{ "type": "text", "text": "hi" }]));
        assert_eq!((&started[0]["type"], &started[0]["session_id"]), (&json!("user"), &json!("s")));
        let text = frames(EventBody::Text { message_id: Some("m".into()), text: "yes".into() });
        assert_eq!(text[0]["message"]["content"][0]["text"], "yes");
        let call = frames(EventBody::ToolCall {
            message_id: None,
            call_id: "c".into(),
            name: "Bash".into(),
            input: json!({ "command": "ls" }),
        });
        assert_eq!(call[0]["message"]["content"][0]["type"], "tool_use");
        let result = frames(EventBody::ToolResult {
            call_id: "c".into(),
            is_error: false,
            content: json!("file"),
            structured: None,
        });
        assert_eq!(
            (&result[0]["type"], &result[0]["message"]["content"][0]["tool_use_id"]),
            (&json!("user"), &json!("c"))
        );
        assert!(frames(EventBody::TextDelta { block: 0, text: "y".into() }).is_empty());
    }

    #[test]
    fn a_stream_ends_with_a_result_and_whether_it_failed() {
        let done = frames(EventBody::TurnEnded(TurnEnd::bare(Outcome::Completed)));
        assert_eq!((&done[0]["subtype"], &done[1]), (&json!("success"), &json!({ "done": true })));
        let outcome = Outcome::Failed { reason: FailureReason::AgentError, message: "it broke".into() };
        let failed = frames(EventBody::TurnEnded(TurnEnd::bare(outcome)));
        assert_eq!(failed[0]["is_error"], true);
        assert_eq!(failed[1], json!({ "type": "error", "content": "it broke", "done": true }));
    }
}
