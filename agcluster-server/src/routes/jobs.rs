//! Jobs: turns by their names, whoever waits for them or not.

use std::sync::Arc;

use agcluster_core::journal::{JournalError, Record};
use agcluster_core::protocol::TurnId;
use agcluster_core::session::{Session, SessionId};
use agcluster_core::store::TurnRecord;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::Stream;
use futures::{StreamExt, future};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Caller, turn_id};
use crate::cursor::{Cursor, Resume};
use crate::extract::{Path, Query};
use crate::openapi::problems::{AGENT, CALLER, CURSOR, JOB, QUERY, RUNNING, problems};
use crate::openapi::schemas::streams::JobDatum;
use crate::projections::{chat_frames, job, native};
use crate::{AppState, Problem, sse};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(stream))
        .routes(routes!(cancel))
}

problems!(ListProblems = CALLER, QUERY, ["invalid_cursor", "session_not_found", "store_unavailable"]);
problems!(GetProblems = JOB);
problems!(StreamProblems = JOB, CURSOR);
problems!(CancelProblems = JOB, RUNNING, AGENT, ["job_ended", "session_idle"]);

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The most jobs in the answer.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
    /// Only those that were asked for before this one.
    before: Option<String>,
    /// Only those of this session.
    session_id: Option<String>,
}

/// Some jobs of a caller.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what `list` answers, for the description")]
struct JobPage<'a> {
    /// Newest first.
    jobs: Vec<job::JobView<'a>>,
    /// The `before` of the next page, when there is one.
    next: Option<Uuid>,
}

/// Lists the caller's jobs, newest first.
#[utoipa::path(
    get, path = "/api/jobs", operation_id = "list_jobs", tag = "Jobs",
    security(("key" = [])), params(Filter),
    responses((status = 200, description = "A page of jobs", body = JobPage), ListProblems),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let limit = limit(filter.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let before = match &filter.before {
        None => None,
        Some(text) => Some(turn_id(text).ok_or_else(|| {
            Problem::bad_request("invalid_cursor", "before must be the job_id of a job, as a list gives it")
        })?),
    };
    let session: Option<SessionId> = match &filter.session_id {
        None => None,
        Some(id) => Some(caller.session(&state, id)?.id().clone()),
    };
    // One more tells whether there are more.
    let mut jobs = state.sessions.turns(caller.owner, session.as_ref(), before, limit + 1).await?;
    let more = jobs.len() > limit;
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| more).map(|job| job.id);
    Ok(Json(json!({ "jobs": jobs.iter().map(job::render).collect::<Vec<_>>(), "next": next })))
}

/// How many things shall be in the answer.
pub(super) fn limit(asked: Option<usize>, default: usize, most: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(default);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::bad_request("invalid_query", format!("limit must be between 1 and {most}")))
}

/// One job, with what came of it as far as that is known.
#[utoipa::path(
    get, path = "/api/jobs/{id}", operation_id = "get_job", tag = "Jobs",
    security(("key" = [])), params(("id" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = job::WholeJob), GetProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    Ok(Json(job::render_whole(&session.in_full(turn).await?)))
}

/// A job that was told to end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cancelled {
    /// `success`.
    status: &'static str,
    /// The job.
    #[schema(value_type = Uuid)]
    job_id: TurnId,
    /// Its session.
    #[schema(value_type = String)]
    session_id: SessionId,
}

/// Takes a queued job back, or interrupts a running one: its terminal event follows in its stream.
#[utoipa::path(
    post, path = "/api/jobs/{id}/cancel", operation_id = "cancel_job", tag = "Jobs",
    security(("key" = [])), params(("id" = String, Path, description = "The job")),
    responses((status = 200, description = "It ends", body = Cancelled), CancelProblems),
)]
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Cancelled>, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    session.cancel(turn.id).await?;
    Ok(Json(Cancelled { status: "success", job_id: turn.id, session_id: turn.session }))
}

/// In which shape a job is streamed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobFormat)]
pub(crate) enum Format {
    /// The events of the journal.
    #[default]
    Native,
    /// The frames of a chat.
    Chat,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shape {
    /// In which shape: the events of the journal, or the frames of a chat.
    #[param(inline, required = false)]
    #[serde(default)]
    format: Format,
}

/// Streams the events of the job after a cursor, until it ends.
#[utoipa::path(
    get, path = "/api/jobs/{id}/stream", operation_id = "stream_job", tag = "Jobs",
    security(("key" = [])), params(("id" = String, Path, description = "The job"), Shape, Resume),
    responses(
        (status = 200, description = "The events: each an `Event`, or a frame of a chat for `format=chat`", content_type = "text/event-stream", body = JobDatum),
        (status = 204, description = "The job has ended and the client has all of its events"),
        StreamProblems,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Shape { format }): Query<Shape>,
    resume: Resume,
) -> Result<Response, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    if format == Format::Native {
        resume.after()?;
    }
    resumed(&session, &turn, resume.0, format).await
}

/// The rest of a turn behind a cursor.
pub(super) async fn resumed(
    session: &Session,
    turn: &TurnRecord,
    cursor: Option<Cursor>,
    format: Format,
) -> Result<Response, Problem> {
    let mut records = session.resume(turn, cursor.map(|cursor| cursor.after)).await?.peekable();
    if !turn.state.is_open() && std::pin::Pin::new(&mut records).peek().await.is_none() {
        // This also keeps a browser from coming again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(match format {
        Format::Native => sse::response(records.map(|record| native::frame(&record))),
        Format::Chat => chat_stream(records, cursor),
    })
}

/// The records of a turn as the frames of a chat.
pub(super) fn chat_stream(
    records: impl Stream<Item = Result<Arc<Record>, JournalError>> + Send + 'static,
    cursor: Option<Cursor>,
) -> Response {
    let frames = records.map(move |record| match record {
        Ok(record) => chat_frames::frames(&record).of_event(record.seq(), 0, cursor),
        Err(error) => chat_frames::broken(&error.into()).plain(),
    });
    sse::response(frames.filter(|frames| future::ready(!frames.is_empty())))
}

/// The answer to a message that nobody waits for.
pub(super) fn accepted(turn: &TurnRecord) -> Response {
    let location = [(header::LOCATION, format!("/api/jobs/{}", turn.id))];
    (StatusCode::ACCEPTED, location, Json(job::render(turn))).into_response()
}
