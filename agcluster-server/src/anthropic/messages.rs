//! Messages.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AnyCaller;
use super::answers::{AnthropicEvent, AnthropicMessage};
use super::error::SHAPE;
use super::render::{self, Blocks};
use super::request::MessagesRequest;
use crate::compat::messages::Conversation;
use crate::compat::talk::Talk;
use crate::compat::{Headers, TALK};
use crate::openapi::problems::{AGENT, BODY, CALLER, CURSOR, IDEMPOTENCY, PROVIDER, RUNNING, problems};
use crate::{AppState, Problem};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(count_tokens))
}

problems!(
    MessageProblems in SHAPE =>
    CALLER,
    BODY,
    CURSOR,
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
            (AnthropicMessage = "application/json"),
            (AnthropicEvent = "text/event-stream"),
        )),
        (status = 204, description = "The answer that is gone on with has ended and the client has all of it"),
        MessageProblems,
    ),
)]
pub(crate) async fn create(
    AnyCaller(caller): AnyCaller,
    Talk { asked, request }: Talk<MessagesRequest>,
) -> Result<Response, Problem> {
    request.check()?;
    let (wish, model, streams) = (request.wish(), request.model.clone(), request.stream);
    let conversation = Conversation::of("messages", request.into_messages()?)?;
    let begun = asked.begin(&caller, wish, conversation).await?;
    let id = begun.id();
    if streams {
        return Ok(begun.stream(Blocks::new(id, model)).await);
    }
    begun.whole(|parts, end, finish| Json(render::message(id, &model, &parts, finish, &end.usage))).await
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
