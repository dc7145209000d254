//! What a session's tools do, live.

use agcluster_core::protocol::EventBody;
use axum::extract::State;
use axum::response::Response;
use futures::{StreamExt, future};
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

problems!(ToolsProblems = SESSION, CURSOR);

/// Streams the calls of tools and their results from now on, or after a cursor, until the session is removed.
///
/// These are the events `tool_call_started`, `tool_call` and `tool_result` of the session's events.
#[utoipa::path(
    get, path = "/api/tools/{id}/stream", operation_id = "stream_tools", tag = "Chat",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Resume),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = SessionDatum),
        ToolsProblems,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    resume: Resume,
) -> Result<Response, Problem> {
    let session = caller.session(&state, &id)?;
    let after = match resume.after()? {
        Some(after) => after,
        None => session.head().await?,
    };
    let records = session.events(after).await?.filter(|record| {
        let of_a_tool = record.as_ref().map_or(true, |record| {
            let body = &record.event.body;
            matches!(
                body,
                EventBody::ToolCallStarted { .. } | EventBody::ToolCall { .. } | EventBody::ToolResult { .. }
            )
        });
        future::ready(of_a_tool)
    });
    Ok(sse::response(records.map(|record| native::frame(&record))))
}
