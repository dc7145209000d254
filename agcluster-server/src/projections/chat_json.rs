//! A turn as one JSON answer.

use agcluster_core::protocol::{EventBody, Outcome, TurnEnd};
use agcluster_core::session::{SessionId, Turn};
use axum::http::StatusCode;
use futures::StreamExt;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::chat_frames;
use crate::Problem;
use crate::openapi::schemas::streams::ChatCost;

/// What `answer` tells.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "for the description: the answer is made from the fields of a stream's last frames"
)]
pub(crate) struct ChatAnswer {
    /// The session.
    session_id: String,
    /// The turn.
    turn_id: Uuid,
    /// `success`, `interrupted` or `limit`.
    status: String,
    /// What the agent said, without what it thought.
    content: String,
    /// The tools that it called, with what they gave back.
    tools: Vec<ChatTool>,
    #[serde(flatten)]
    cost: ChatCost,
}

/// A tool that was called.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as `ChatAnswer`")]
struct ChatTool {
    tool_use_id: String,
    tool_name: String,
    tool_input: Value,
    /// A text, or what the tool gave.
    #[schema(required = false)]
    output: Value,
    #[schema(required = false)]
    is_error: bool,
}

/// Waits for the end of a turn and tells what came of it.
///
/// # Errors
/// A turn that failed is a problem, never a success.
pub(crate) async fn answer(session: &SessionId, mut turn: Turn) -> Result<Value, Problem> {
    let id = turn.id();
    let mut content = String::new();
    let mut tools = Vec::new();
    while let Some(record) = turn.next().await {
        let record = record?;
        // What a sub-agent says is not the answer.
        if record.event.parent.is_some() {
            continue;
        }
        match &record.event.body {
            EventBody::Text { text, .. } => {
                if !content.is_empty() {
                    content.push('\n');
                }
                content.push_str(text);
            }
            EventBody::ToolCall { call_id, name, input, .. } => {
                tools.push(json!({ "tool_use_id": call_id, "tool_name": name, "tool_input": input }));
            }
            EventBody::ToolResult { call_id, is_error, content, .. } => {
                if let Some(tool) = tools.iter_mut().find(|tool| tool["tool_use_id"] == **call_id) {
                    tool["output"] = chat_frames::plain(content);
                    tool["is_error"] = (*is_error).into();
                }
            }
            EventBody::TurnEnded(end) => {
                let status = status(end)?;
                let mut answer = chat_frames::metadata(end);
                answer["session_id"] = json!(session);
                answer["turn_id"] = json!(id);
                answer["status"] = status;
                answer["content"] = content.into();
                answer["tools"] = tools.into();
                return Ok(answer);
            }
            _ => {}
        }
    }
    Err(Problem::new(StatusCode::BAD_GATEWAY, "turn_failed", "the session ended before the turn did"))
}

fn status(end: &TurnEnd) -> Result<Value, Problem> {
    match &end.outcome {
        Outcome::Completed => Ok("success".into()),
        Outcome::Interrupted => Ok("interrupted".into()),
        Outcome::Limit { .. } => Ok("limit".into()),
        Outcome::Failed { message, .. } => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, "turn_failed", message.clone()))
        }
    }
}
