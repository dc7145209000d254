//! The journal of a session, live.

use axum::extract::State;
use axum::response::Response;
use futures::StreamExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::cursor::Resume;
use crate::extract::Path;
use crate::openapi::problems::{CURSOR, SESSION, problems};
use crate::openapi::schemas::streams::SessionDatum;
use crate::projections::native;
use crate::{AppState, Problem, sse};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream))
}

problems!(EventsProblems = SESSION, CURSOR);

/// Streams every event after a cursor, then live ones, until the session is removed.
#[utoipa::path(
    get, path = "/api/agents/{id}/events", operation_id = "stream_events", tag = "Chat",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Resume),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = SessionDatum),
        EventsProblems,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    resume: Resume,
) -> Result<Response, Problem> {
    let session = caller.session(&state, &id)?;
    let records = session.events(resume.after()?.unwrap_or(0)).await?;
    Ok(sse::response(records.map(|record| native::frame(&record))))
}
