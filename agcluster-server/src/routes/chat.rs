//! Talking to an agent.

use std::sync::Arc;

use agcluster_core::protocol::{PromptBlock, TurnId};
use agcluster_core::session::{Idempotency, Session, SessionId, TurnRequest, WhenBusy};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{idempotency, jobs};
use crate::auth::Caller;
use crate::compat::media;
use crate::cursor;
use crate::extract::{Digested, Path};
use crate::openapi::problems::{AGENT, BODY, CURSOR, IDEMPOTENCY, PROVIDER, RUNNING, SESSION, problems};
use crate::openapi::schemas::streams::ChatFrame;
use crate::projections::chat_json::{self, ChatAnswer};
use crate::projections::job::JobView;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(chat)).routes(routes!(chat_in))
}

problems!(
    ChatProblems = SESSION,
    BODY,
    CURSOR,
    IDEMPOTENCY,
    PROVIDER,
    AGENT,
    RUNNING,
    [
        "session_id_missing",
        "queue_and_steer",
        "no_user_message",
        "steering_unsupported",
        "queue_full",
        "idempotency_key_missing",
        "image_invalid",
        "image_type_unsupported",
        "turn_failed",
    ],
);

/// The body of a chat request. The agent remembers what was said before; only the last user message is new to it.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// A conversation, of which the last user message counts.
    #[serde(default)]
    messages: Vec<Message>,
    /// Or the message alone.
    message: Option<Content>,
    /// The session; the header `X-Session-ID` says the same.
    #[serde(rename = "sessionId", alias = "session_id")]
    session_id: Option<String>,
    /// Whether to answer at once with a job.
    #[serde(default)]
    background: bool,
    /// Whether to wait for the end of a running turn.
    #[serde(default)]
    queue: bool,
    /// Whether to add the message to a running turn.
    #[serde(default)]
    steer: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatMessage)]
struct Message {
    role: Role,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ChatRole)]
enum Role {
    System,
    User,
    Assistant,
}

/// A text, or parts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ChatContent)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = ChatPart)]
enum Part {
    Text { text: String },
    Image { source: ImageSource },
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = ChatImageSource)]
enum ImageSource {
    Base64 { media_type: String, data: String },
}

impl Content {
    /// As blocks of a prompt. Where it stands in the request is said of what is wrong with it.
    fn into_blocks(self, param: &str) -> Result<Vec<PromptBlock>, Problem> {
        let parts = match self {
            Self::Text(text) => return Ok(vec![PromptBlock::Text { text }]),
            Self::Parts(parts) => parts,
        };
        let blocks = parts.into_iter().enumerate().map(|(index, part)| match part {
            Part::Text { text } => Ok(PromptBlock::Text { text }),
            Part::Image { source: ImageSource::Base64 { media_type, data } } => {
                media::picture(&format!("{param}[{index}]"), &media_type, &data)
            }
        });
        blocks.collect()
    }
}

/// Sends a message to the session that the body or a header names.
#[utoipa::path(
    post, path = "/api/agents/chat", operation_id = "chat", tag = "Chat",
    security(("key" = [])),
    params(
        ("X-Session-ID" = Option<String>, Header, description = "The session, where the body has none"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last frame that the client has of the turn that it repeats"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat: 1 to 255 printable ASCII characters"),
    ),
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answer, whole for `Accept: application/json`, else as a stream: frames of `type` `message`, then one of `complete` or `error`, then `[DONE]`", content(
            (ChatFrame = "text/event-stream"),
            (ChatAnswer = "application/json"),
        )),
        (status = 202, description = "The job, for `background`", body = JobView),
        (status = 204, description = "The turn that is gone on with has ended and the client has all of it"),
        ChatProblems,
    ),
)]
pub(crate) async fn chat(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Digested { body: mut request, digest }: Digested<ChatRequest>,
) -> Result<Response, Problem> {
    let named = headers.get("x-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let id = request.session_id.take().or(named).filter(|id| !id.is_empty()).ok_or_else(|| {
        let detail = "Session ID required: send sessionId in the body or the header X-Session-ID";
        Problem::bad_request("session_id_missing", detail)
    })?;
    let session = caller.session(&state, &id)?;
    answer(&state, session, request, idempotency::of(&headers, digest)?, &headers).await
}

/// Sends a message to a session.
#[utoipa::path(
    post, path = "/api/agents/{id}/chat", operation_id = "chat_in_session", tag = "Chat",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last frame that the client has of the turn that it repeats"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat: 1 to 255 printable ASCII characters"),
    ),
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answer, whole for `Accept: application/json`, else as a stream: frames of `type` `message`, then one of `complete` or `error`, then `[DONE]`", content(
            (ChatFrame = "text/event-stream"),
            (ChatAnswer = "application/json"),
        )),
        (status = 202, description = "The job, for `background`", body = JobView),
        (status = 204, description = "The turn that is gone on with has ended and the client has all of it"),
        ChatProblems,
    ),
)]
pub(crate) async fn chat_in(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<ChatRequest>,
) -> Result<Response, Problem> {
    let session = caller.session(&state, &id)?;
    answer(&state, session, request, idempotency::of(&headers, digest)?, &headers).await
}

async fn answer(
    state: &AppState,
    session: Arc<Session>,
    request: ChatRequest,
    idempotency: Option<Idempotency>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (when_busy, background) = (when_busy(&request)?, request.background);
    let cursor = idempotency::cursor(headers, idempotency.as_ref())?;
    let cursor = cursor::of_session(cursor, &session).await?;
    let request = TurnRequest { prompt: prompt(request)?, when_busy, background, idempotency };
    let turn = session.begin(request).await?;
    if background {
        let (record, _) = state.sessions.turn(turn.id(), session.owner()).await?;
        return Ok(jobs::accepted(&record));
    }
    if !wants_stream(headers) {
        return Ok(axum::Json(chat_json::answer(session.id(), turn).await?).into_response());
    }
    let id = turn.id();
    let response = match cursor {
        None => jobs::chat_stream(turn, None),
        Some(cursor) => {
            let (record, _) = state.sessions.turn(id, session.owner()).await?;
            jobs::resumed(&session, &record, Some(cursor), jobs::Format::Chat).await?
        }
    };
    Ok(named(response, session.id(), id))
}

fn when_busy(request: &ChatRequest) -> Result<WhenBusy, Problem> {
    match (request.queue, request.steer) {
        (false, false) => Ok(WhenBusy::Refuse),
        (true, false) => Ok(WhenBusy::Queue),
        (false, true) => Ok(WhenBusy::Steer),
        (true, true) => Err(Problem::bad_request(
            "queue_and_steer",
            "send either \"queue\": true or \"steer\": true, not both",
        )),
    }
}

fn prompt(request: ChatRequest) -> Result<Vec<PromptBlock>, Problem> {
    let mut messages = request.messages.into_iter().enumerate();
    let last = messages.rfind(|(_, message)| message.role == Role::User);
    let prompt = match (request.message, last) {
        (Some(message), _) => message.into_blocks("message")?,
        (None, Some((index, last))) => last.content.into_blocks(&format!("messages[{index}].content"))?,
        (None, None) => Vec::new(),
    };
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
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else {
        return true;
    };
    let kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.into_iter().any(|kind| {
        ["text/event-stream", "text/*", "*/*"].iter().any(|known| kind.eq_ignore_ascii_case(known))
    })
}

/// Says in the headers which session and turn the answer is of.
pub(crate) fn named(mut response: Response, session: &SessionId, turn: TurnId) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [("x-session-id", session.to_string()), ("x-turn-id", turn.to_string())] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests;
