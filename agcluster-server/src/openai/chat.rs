//! Chat completions.

mod render;
mod request;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::render::{Chunks, Head};
use self::request::ChatRequest;
use super::error::SHAPE;
use crate::auth::Caller;
use crate::compat::answer::Answer;
use crate::compat::choice::Choice;
use crate::compat::open::{Opened, Wish};
use crate::compat::{Headers, TALK, failure, helper, messages, stream};
use crate::extract::Digested;
use crate::openapi::problems::{AGENT, BODY, CALLER, IDEMPOTENCY, PROVIDER, RUNNING, problems};
use crate::routes::{chat::named, idempotency};
use crate::{AppState, Problem};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(create_without_version))
}

problems!(
    ChatProblems in SHAPE =>
    CALLER,
    BODY,
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
    request_body = inline(ChatRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (Value = "application/json"),
            (String = "text/event-stream"),
        )),
        ChatProblems,
    ),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<ChatRequest>,
) -> Result<Response, Problem> {
    let with_usage = request.stream_options.is_some_and(|options| options.include_usage);
    let texts = request.texts();
    if let Some(said) = helper::answer(&headers, request.metadata.as_ref(), &texts) {
        let head = Head::of_helper(request.model);
        return Ok(if request.stream {
            render::said_stream(head, &said, with_usage)
        } else {
            render::said(&head, &said)
        });
    }
    request.check()?;
    let choice = Choice::of(&headers, None, request.user.as_deref().map(|user| ("user", user)))?;
    let wish =
        Wish { queue: request.queue, background: false, idempotency: idempotency::of(&headers, digest)? };
    let (model, streams) = (request.model.clone(), request.stream);
    let conversation = messages::Conversation::of("messages", request.into_messages()?)?;
    let opened = Opened::of(&state, &caller, choice, &model, conversation.system.as_deref()).await?;
    let turn = opened.begin(&state, conversation, wish).await?;
    let (session, id) = (opened.session.id().clone(), turn.id());
    let head = Head::of(id, model);
    let response = if streams {
        stream::response(turn, Chunks::new(head, with_usage), opened.disposable)
    } else {
        let (parts, end) = Answer::wait(turn).await?;
        match failure::finish(&end) {
            Ok(finish) => render::whole(&head, &parts, &end, finish).into_response(),
            Err(problem) => failure::response(problem),
        }
    };
    Ok(named(response, &session, id))
}

/// The same under the path of an earlier version.
#[utoipa::path(
    post, path = "/chat/completions", operation_id = "create_chat_completion_without_version", tag = "OpenAI",
    security(("key" = [])),
    params(Headers),
    request_body = inline(ChatRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (Value = "application/json"),
            (String = "text/event-stream"),
        )),
        ChatProblems,
    ),
)]
pub(crate) async fn create_without_version(
    state: State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    request: Digested<ChatRequest>,
) -> Result<Response, Problem> {
    create(state, caller, headers, request).await
}
