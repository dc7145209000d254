//! Jobs: turns by their names, whoever waits for them or not.

use std::sync::Arc;

use agcluster_core::journal::{JournalError, Record};
use agcluster_core::session::{Session, SessionId};
use agcluster_core::store::TurnRecord;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::Stream;
use futures::{StreamExt, future};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{Caller, turn_id};
use crate::cursor::{Cursor, Resume};
use crate::extract::{Path, Query};
use crate::projections::{chat_frames, job, native};
use crate::{AppState, Problem, sse};

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// Which jobs.
#[derive(Debug, Deserialize)]
pub(crate) struct Filter {
    /// The most jobs in the answer.
    limit: Option<usize>,
    /// Only those that were asked for before this one.
    before: Option<String>,
    /// Only those of this session.
    session_id: Option<String>,
}

/// `GET /api/jobs`: the caller's, newest first.
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

/// `GET /api/jobs/{id}`
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    let end = session.end_of(&turn).await?;
    Ok(Json(job::render_whole(&turn, end.as_ref())))
}

/// `POST /api/jobs/{id}/cancel`: the job's terminal event follows in its stream.
pub(crate) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    session.cancel(turn.id).await?;
    Ok(Json(json!({ "status": "success", "job_id": turn.id, "session_id": turn.session })))
}

/// In which shape a job is streamed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// The events of the journal.
    #[default]
    Native,
    /// The frames of a chat.
    Chat,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(default)]
    format: Format,
}

/// `GET /api/jobs/{id}/stream`: the events of the job after a cursor, until it ends. 204 when the client has all of them.
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
        Ok(record) => {
            let begun = cursor.filter(|cursor| record.seq() == cursor.after + 1);
            chat_frames::frames(&record, begun.map_or(0, |cursor| cursor.parts))
        }
        Err(error) => chat_frames::broken(&error.into()),
    });
    sse::response(frames.filter(|frames| future::ready(!frames.is_empty())))
}

/// The answer to a message that nobody waits for.
pub(super) fn accepted(turn: &TurnRecord) -> Response {
    let location = [(header::LOCATION, format!("/api/jobs/{}", turn.id))];
    (StatusCode::ACCEPTED, location, Json(job::render(turn))).into_response()
}
