//! The journal of a session, live.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::StreamExt;
use serde::Deserialize;

use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::projections::native;
use crate::{AppState, Problem, sse};

/// Where to begin.
#[derive(Debug, Deserialize)]
pub(crate) struct Cursor {
    /// The seq of the last event the client has; `Last-Event-ID` says the same.
    after: Option<u64>,
}

/// `GET /api/agents/{id}/events`: every event after a cursor, then live ones, until the session is removed.
pub(crate) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(cursor): Query<Cursor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let session = caller.session(&state, &id)?;
    let after = match headers.get("last-event-id") {
        // A client that reconnects by itself sends the header; the URL still has the cursor it began with.
        Some(value) => value.to_str().ok().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
            Problem::bad_request("invalid_cursor", "Last-Event-ID must be the id of an event of this stream")
        })?,
        None => cursor.after.unwrap_or(0),
    };
    let records = session.events(after).await?;
    Ok(sse::response(records.map(|record| native::frame(&record))))
}
