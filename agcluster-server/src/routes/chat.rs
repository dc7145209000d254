//! Talking to an agent.

use std::sync::Arc;

use agcluster_core::protocol::PromptBlock;
use agcluster_core::session::{Session, SessionId, Turn};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;

use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::projections::{chat_frames, chat_json};
use crate::{AppState, Problem, sse};

/// The body of a chat request. The agent remembers what was said before; only the last user message is new to it.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest {
    /// A conversation, of which the last user message counts.
    #[serde(default)]
    messages: Vec<Message>,
    /// Or the message alone.
    message: Option<Content>,
    /// The session; the header `X-Session-ID` says the same.
    #[serde(rename = "sessionId", alias = "session_id")]
    session_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: Role,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    User,
    Assistant,
}

/// A text, or parts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    Image { source: ImageSource },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ImageSource {
    Base64 { media_type: String, data: String },
}

impl From<Content> for Vec<PromptBlock> {
    fn from(content: Content) -> Self {
        match content {
            Content::Text(text) => vec![PromptBlock::Text { text }],
            Content::Parts(parts) => parts
                .into_iter()
                .map(|part| match part {
                    Part::Text { text } => PromptBlock::Text { text },
                    Part::Image { source: ImageSource::Base64 { media_type, data } } => {
                        PromptBlock::Image { media_type, data }
                    }
                })
                .collect(),
        }
    }
}

/// `POST /api/agents/chat`: the session is named in the body or a header.
pub(crate) async fn chat(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Json(mut request): Json<ChatRequest>,
) -> Result<Response, Problem> {
    let named = headers.get("x-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let id = request.session_id.take().or(named).filter(|id| !id.is_empty()).ok_or_else(|| {
        let detail = "Session ID required: send sessionId in the body or the header X-Session-ID";
        Problem::bad_request("session_id_missing", detail)
    })?;
    answer(caller.session(&state, &id)?, request, &headers).await
}

/// `POST /api/agents/{id}/chat`
pub(crate) async fn chat_in(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<ChatRequest>,
) -> Result<Response, Problem> {
    answer(caller.session(&state, &id)?, request, &headers).await
}

async fn answer(
    session: Arc<Session>,
    request: ChatRequest,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let turn = session.chat(prompt(request)?).await?;
    if wants_stream(headers) {
        return Ok(stream(session.id(), turn));
    }
    Ok(axum::Json(chat_json::answer(session.id(), turn).await?).into_response())
}

fn prompt(request: ChatRequest) -> Result<Vec<PromptBlock>, Problem> {
    let last = request.messages.into_iter().rev().find(|message| message.role == Role::User);
    let content = request.message.or(last.map(|message| message.content));
    let prompt: Vec<PromptBlock> = content.map(Into::into).unwrap_or_default();
    let empty =
        prompt.iter().all(|block| matches!(block, PromptBlock::Text { text } if text.trim().is_empty()));
    if empty {
        return Err(Problem::bad_request(
            "no_user_message",
            "No user message found in request: send one with content",
        ));
    }
    Ok(prompt)
}

/// A stream, unless the client says what it takes and that is not among it.
fn wants_stream(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else {
        return true;
    };
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.into_iter().any(|kind| {
        ["text/event-stream", "text/*", "*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known))
    })
}

fn stream(session: &SessionId, turn: Turn) -> Response {
    let turn_id = turn.id();
    let frames = turn.map(|record| match record {
        Ok(record) => chat_frames::frames(&record),
        Err(error) => {
            let problem = Problem::from(error);
            chat_frames::broken(problem.code, &problem.detail)
        }
    });
    let mut response = sse::response(frames);
    let headers = response.headers_mut();
    for (name, value) in [("x-session-id", session.to_string()), ("x-turn-id", turn_id.to_string())] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests;
