//! Responses.

mod projection;
mod render;
mod request;

use agcluster_core::session::Session;
use agcluster_core::store::{TurnRecord, TurnState};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::projection::Events;
use self::render::{Output, Settings};
use self::request::ResponsesRequest;
use super::answers::{ResponseEvent, ResponseObject};
use super::error::SHAPE;
use crate::auth::Caller;
use crate::compat::answer::Answer;
use crate::compat::choice::{self, response_id};
use crate::compat::messages::Conversation;
use crate::compat::stream::{self, Source};
use crate::compat::talk::Talk;
use crate::compat::{Headers, TALK, failure, invalid};
use crate::cursor;
use crate::extract::{Path, Query};
use crate::openapi::problems::{AGENT, BODY, CALLER, CURSOR, IDEMPOTENCY, JOB, PROVIDER, RUNNING, problems};
use crate::{AppState, Problem};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(get)).routes(routes!(cancel))
}

problems!(
    CreateProblems in SHAPE =>
    CALLER,
    BODY,
    CURSOR,
    IDEMPOTENCY,
    PROVIDER,
    AGENT,
    RUNNING,
    TALK,
    ["image_url_unsupported", "file_id_unsupported", "item_unsupported", "previous_response_not_found"],
);
problems!(GetProblems in SHAPE => JOB, CURSOR, ["response_not_found"]);
problems!(CancelProblems in SHAPE => JOB, RUNNING, AGENT, ["response_not_found", "job_ended", "session_idle", "cursor_expired"]);

/// Says something to an agent, as to a model, for an answer that can be gone on from.
///
/// Which session it is said in: see `docs/integrations/openai-sdk.md`. With `store` (the default) the session of a response stays.
#[utoipa::path(
    post, path = "/v1/responses", operation_id = "create_response", tag = "OpenAI", security(("key" = [])),
    params(Headers),
    request_body = inline(ResponsesRequest),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (ResponseObject = "application/json"),
            (ResponseEvent = "text/event-stream"),
        )),
        (status = 204, description = "The answer that is gone on with has ended and the client has all of it"),
        CreateProblems,
    ),
)]
pub(crate) async fn create(
    caller: Caller,
    Talk { asked, mut request }: Talk<ResponsesRequest>,
) -> Result<Response, Problem> {
    request.check()?;
    let conversation = Conversation::of("input", request.take_messages()?)?;
    let begun = asked.begin(&caller, request.wish(), conversation).await?;
    let (id, settings) = (begun.id(), Settings::of(begun.id(), &request));
    if request.stream {
        return Ok(begun.stream(Events::new(settings)).await);
    }
    if request.background {
        return Ok(begun.at_once(Json(settings.unfinished("queued"))));
    }
    begun
        .whole(|parts, end, finish| Json(settings.finished(&Output::of(parts, id), finish, &end.usage)))
        .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Retrieval {
    /// Whether to stream it.
    #[serde(default)]
    stream: bool,
    /// Only what follows the event of this number.
    starting_after: Option<u64>,
}

/// A response as far as it is, or its events as a stream.
#[utoipa::path(
    get, path = "/v1/responses/{id}", operation_id = "get_response", tag = "OpenAI", security(("key" = [])),
    params(
        ("id" = String, Path, description = "The response"),
        Retrieval,
        ("Last-Event-ID" = Option<String>, Header, description = "The last frame that the client has of the stream"),
    ),
    responses(
        (status = 200, description = "The answer, whole or, for `stream`, as a stream", content(
            (ResponseObject = "application/json"),
            (ResponseEvent = "text/event-stream"),
        )),
        (status = 204, description = "The answer that is gone on with has ended and the client has all of it"),
        GetProblems,
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Retrieval { stream, starting_after }): Query<Retrieval>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (turn, session) = response(&state, &caller, &id).await?;
    let settings = Settings::again(&turn, &session.info().config_id);
    if stream {
        let source = Source {
            records: session.resume(&turn, None).await?,
            after: turn.after,
            cursor: cursor::of_session(cursor::from_headers(&headers)?, &session).await?,
            over: !turn.state.is_open(),
            disposable: None,
        };
        return Ok(stream::response(source, Events::new(settings).after(starting_after)).await);
    }
    if starting_after.is_some() {
        return Err(invalid("starting_after", "invalid_query", "starting_after goes with stream=true"));
    }
    Ok(Json(whole(settings, &turn, &session).await?).into_response())
}

/// Ends the turn of a response.
#[utoipa::path(
    post, path = "/v1/responses/{id}/cancel", operation_id = "cancel_response", tag = "OpenAI",
    security(("key" = [])), params(("id" = String, Path, description = "The response")),
    responses((status = 200, description = "The response as it ended", body = ResponseObject), CancelProblems),
)]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (turn, session) = response(&state, &caller, &id).await?;
    session.cancel(turn.id).await?;
    // It ends soon: its terminal event tells what came of it until then.
    let answer = Answer::read(session.resume(&turn, None).await?).await?;
    Ok(Json(ended(Settings::again(&turn, &session.info().config_id), &turn, answer)))
}

/// The turn of a response.
async fn response(
    state: &AppState,
    caller: &Caller,
    id: &str,
) -> Result<(TurnRecord, std::sync::Arc<Session>), Problem> {
    let missing = || {
        let id: String = id.chars().take(100).collect();
        let detail = format!("there is no response {id:?}, or its session is gone");
        Problem::new(StatusCode::NOT_FOUND, "response_not_found", detail)
    };
    let turn = choice::response_turn(id).ok_or_else(missing)?;
    caller.job(state, &turn.to_string()).await.map_err(|problem| match problem.code {
        "job_not_found" => missing(),
        _ => problem,
    })
}

/// A response as far as it is.
async fn whole(settings: Settings, turn: &TurnRecord, session: &Session) -> Result<Value, Problem> {
    Ok(match turn.state {
        TurnState::Queued => settings.unfinished("queued"),
        TurnState::Sent | TurnState::Running => settings.unfinished("in_progress"),
        TurnState::Ended => ended(settings, turn, Answer::read(session.resume(turn, None).await?).await?),
    })
}

fn ended(settings: Settings, turn: &TurnRecord, answer: Answer) -> Value {
    let output = Output::of(answer.parts, turn.id);
    match answer.end {
        None => settings.failed(&output, &failure::cut_off()),
        Some(end) => match failure::finish(&end) {
            Ok(finish) => settings.finished(&output, finish, &end.usage),
            Err(problem) => settings.failed(&output, &problem),
        },
    }
}

/// The name of a response, for those who tell it.
fn name(turn: agcluster_core::protocol::TurnId) -> String {
    response_id(turn)
}
