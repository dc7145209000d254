//! Messages.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AnyCaller;
use super::error::SHAPE;
use super::render::{self, Blocks};
use super::request::MessagesRequest;
use crate::compat::answer::Answer;
use crate::compat::choice::Choice;
use crate::compat::open::{Opened, Wish};
use crate::compat::{Headers, TALK, failure, messages, stream};
use crate::extract::Digested;
use crate::openapi::problems::{AGENT, BODY, CALLER, IDEMPOTENCY, PROVIDER, RUNNING, problems};
use crate::routes::{chat::named, idempotency};
use crate::{AppState, Problem};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(count_tokens))
}

problems!(
    MessageProblems in SHAPE =>
    CALLER,
    BODY,
    IDEMPOTENCY,
    PROVIDER,
    AGENT,
    RUNNING,
    TALK,
    ["source_unsupported"],
);
problems!(CountProblems in SHAPE => CALLER, ["count_tokens_unsupported"]);

/// Says something to an agent, as to a model.
///
/// The key may also be sent as `x-api-key`. Which session it is said in: see `docs/integrations/openai-sdk.md`, with
/// `metadata.user_id` in place of `user`.
#[utoipa::path(
    post, path = "/v1/messages", operation_id = "create_message", tag = "Anthropic", security(("key" = [])),
    params(Headers),
    request_body = inline(MessagesRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (Value = "application/json"),
            (String = "text/event-stream"),
        )),
        MessageProblems,
    ),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    AnyCaller(caller): AnyCaller,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<MessagesRequest>,
) -> Result<Response, Problem> {
    request.check()?;
    let choice = Choice::of(&headers, None, request.user().map(|user| ("metadata.user_id", user)))?;
    let wish =
        Wish { queue: request.queue, background: false, idempotency: idempotency::of(&headers, digest)? };
    let (model, streams) = (request.model.clone(), request.stream);
    let conversation = messages::Conversation::of("messages", request.into_messages()?)?;
    let opened = Opened::of(&state, &caller, choice, &model, conversation.system.as_deref()).await?;
    let turn = opened.begin(&state, conversation, wish).await?;
    let (session, id) = (opened.session.id().clone(), turn.id());
    let response = if streams {
        stream::response(turn, Blocks::new(id, model), opened.disposable)
    } else {
        let (parts, end) = Answer::wait(turn).await?;
        match failure::finish(&end) {
            Ok(finish) => Json(render::message(id, &model, &parts, finish, &end.usage)).into_response(),
            Err(problem) => failure::response(problem),
        }
    };
    Ok(named(response, &session, id))
}

/// Refuses to count tokens: an agent adds to a request what only it knows.
#[utoipa::path(
    post, path = "/v1/messages/count_tokens", operation_id = "count_message_tokens", tag = "Anthropic",
    security(("key" = [])), responses(CountProblems),
)]
pub(crate) async fn count_tokens(_caller: AnyCaller) -> Problem {
    let detail = "tokens cannot be counted beforehand: the agent adds its own instructions and tools; see the usage in an answer";
    Problem::new(StatusCode::NOT_FOUND, "count_tokens_unsupported", detail)
}
