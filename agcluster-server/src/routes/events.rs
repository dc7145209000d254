//! The journal of a session, live.

use axum::extract::State;
use axum::response::Response;
use futures::StreamExt;

use crate::auth::Caller;
use crate::cursor::Resume;
use crate::extract::Path;
use crate::projections::native;
use crate::{AppState, Problem, sse};

/// `GET /api/agents/{id}/events`: every event after a cursor, then live ones, until the session is removed.
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
