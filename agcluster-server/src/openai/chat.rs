//! Chat completions.

mod render;
mod request;

use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::render::{Chunks, Head};
use self::request::CompletionRequest;
use super::answers::{Completion, CompletionDatum};
use super::error::SHAPE;
use crate::auth::Caller;
use crate::compat::messages::Conversation;
use crate::compat::talk::Talk;
use crate::compat::{Headers, TALK, helper};
use crate::openapi::problems::{AGENT, BODY, CALLER, CURSOR, IDEMPOTENCY, PROVIDER, RUNNING, problems};
use crate::{AppState, Problem};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(create_without_version))
}

problems!(
    ChatProblems in SHAPE =>
    CALLER,
    BODY,
    CURSOR,
    IDEMPOTENCY,
    PROVIDER,
    AGENT,
    RUNNING,
    TALK,
    ["image_url_unsupported", "file_id_unsupported"],
);

/// Says something to an agent, as to a model.
///
/// Which session it is said in: see `docs/integrations/openai-sdk.md`. An agent that knows the conversation is sent what is new in it.
#[utoipa::path(
    post, path = "/v1/chat/completions", operation_id = "create_chat_completion", tag = "OpenAI",
    security(("key" = [])),
    params(Headers),
    request_body = inline(CompletionRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (Completion = "application/json"),
            (CompletionDatum = "text/event-stream"),
        )),
        (status = 204, description = "The answer that is gone on with has ended and the client has all of it"),
        ChatProblems,
    ),
)]
pub(crate) async fn create(
    caller: Caller,
    Talk { asked, request }: Talk<CompletionRequest>,
) -> Result<Response, Problem> {
    let with_usage = request.stream_options.is_some_and(|options| options.include_usage);
    if let Some(said) = helper::answer(&asked.headers, request.metadata.as_ref(), &request.texts()) {
        let head = Head::of_helper(request.model);
        return Ok(if request.stream {
            render::said_stream(head, &said, with_usage)
        } else {
            render::said(&head, &said)
        });
    }
    request.check()?;
    let (wish, model, streams) = (request.wish(), request.model.clone(), request.stream);
    let conversation = Conversation::of("messages", request.into_messages()?)?;
    let begun = asked.begin(&caller, wish, conversation).await?;
    let head = Head::of(begun.id(), model);
    if streams {
        return Ok(begun.stream(Chunks::new(head, with_usage)).await);
    }
    begun.whole(|parts, end, finish| render::whole(&head, &parts, end, finish)).await
}

/// The same under the path of an earlier version.
#[utoipa::path(
    post, path = "/chat/completions", operation_id = "create_chat_completion_without_version", tag = "OpenAI",
    security(("key" = [])),
    params(Headers),
    request_body = inline(CompletionRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (Completion = "application/json"),
            (CompletionDatum = "text/event-stream"),
        )),
        (status = 204, description = "The answer that is gone on with has ended and the client has all of it"),
        ChatProblems,
    ),
)]
pub(crate) async fn create_without_version(
    caller: Caller,
    talk: Talk<CompletionRequest>,
) -> Result<Response, Problem> {
    create(caller, talk).await
}
