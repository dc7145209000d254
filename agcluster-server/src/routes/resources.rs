//! What a session's container uses.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::protocol::resources::{DiskUse, MemoryUse, ResourceUse};
use agcluster_core::session::Session;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::extract::{Path, Query};
use crate::openapi::problems::{AGENT, QUERY, RUNNING, SESSION, problems};
use crate::{AppState, Problem, sse};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(watch))
}

problems!(ResourcesProblems = SESSION, QUERY, RUNNING, AGENT);

/// How to look at it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Pace {
    /// The seconds between two events of a stream: 1 to 60, 2 when left out
    interval: Option<u64>,
}

/// What the container uses now; as a stream for `Accept: text/event-stream`.
///
/// `measured` says of what this is: of the `container`, of the `process_tree` on a machine that it shares, or of `nothing`. What is not
/// measured is null. `cpu.percent` is of one processor.
#[utoipa::path(
    get, path = "/api/resources/{id}", operation_id = "get_resources", tag = "Resources",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Pace),
    responses(
        (status = 200, description = "What it uses", content(
            (Value = "application/json"),
            (String = "text/event-stream"),
        )),
        ResourcesProblems,
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(pace): Query<Pace>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/event-stream") {
        return watch(State(state), caller, Path(id), Query(pace)).await;
    }
    let session = caller.session(&state, &id)?;
    let used = session.resources().await?;
    Ok(Json(render(&session, &used)).into_response())
}

/// Streams what the container uses, until the session does not run any more.
#[utoipa::path(
    get, path = "/api/resources/{id}/stream", operation_id = "watch_resources", tag = "Resources",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Pace),
    responses(
        (status = 200, description = "What it uses", content_type = "text/event-stream", body = String),
        ResourcesProblems,
    ),
)]
pub(crate) async fn watch(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(pace): Query<Pace>,
) -> Result<Response, Problem> {
    let seconds = pace.interval.unwrap_or(2);
    if !(1..=60).contains(&seconds) {
        return Err(Problem::bad_request("invalid_query", "interval must be between 1 and 60 seconds"));
    }
    let session = caller.session(&state, &id)?;
    // What cannot be measured at all is refused before there is a stream.
    let first = session.resources().await?;
    let mut ticks = interval(Duration::from_secs(seconds));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let sessions = state.sessions.clone();
    let frames = frames(session, first, ticks).take_until(async move { sessions.shutting_down().await });
    Ok(sse::response(frames))
}

fn frames(session: Arc<Session>, first: ResourceUse, ticks: Interval) -> impl Stream<Item = Bytes> + Send {
    let next = async |(session, first, mut ticks): (Arc<Session>, Option<ResourceUse>, Interval)| {
        let used = match first {
            Some(first) => first,
            None => {
                ticks.tick().await;
                session.resources().await.ok()?
            }
        };
        let frame = sse::frame(None, render(&session, &used).to_string().as_bytes());
        Some((frame, (session, None, ticks)))
    };
    stream::unfold((session, Some(first), ticks), next)
}

fn render(session: &Session, used: &ResourceUse) -> Value {
    json!({
        "session_id": session.id(),
        "container_id": session.container().map(|container| container.0),
        "status": session.state().borrow().status.as_str(),
        "measured": used.measured,
        "cpu": used.cpu,
        "memory": used.memory.as_ref().map(memory),
        "disk": used.disk.as_ref().map(disk),
        "network": used.network,
        "processes": used.processes,
    })
}

fn memory(memory: &MemoryUse) -> Value {
    let limit = memory.limit_bytes;
    json!({
        "used_bytes": memory.used_bytes,
        "limit_bytes": limit,
        "percent": limit.map(|limit| percent(memory.used_bytes, limit)),
        "used_mb": mebibytes(memory.used_bytes),
        "limit_mb": limit.map(mebibytes),
    })
}

fn disk(disk: &DiskUse) -> Value {
    json!({
        "used_bytes": disk.used_bytes,
        "total_bytes": disk.total_bytes,
        "free_bytes": disk.free_bytes,
        "percent": percent(disk.used_bytes, disk.used_bytes.saturating_add(disk.free_bytes)),
    })
}

#[allow(clippy::cast_precision_loss, reason = "fractions of a per cent do not count")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 10_000.0).round() / 100.0 }
}

#[allow(clippy::cast_precision_loss, reason = "fractions of a mebibyte do not count")]
fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / f64::from(1 << 20) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shown_in_every_unit_and_without_a_limit_no_share_of_it() {
        let used = MemoryUse { used_bytes: 3 << 19, limit_bytes: Some(6 << 20) };
        let shown = memory(&used);
        assert_eq!(
            (&shown["percent"], &shown["used_mb"], &shown["limit_mb"]),
            (&json!(25.0), &json!(1.5), &json!(6.0))
        );
        assert_eq!(memory(&MemoryUse { limit_bytes: None, ..used })["percent"], Value::Null);
        let full = DiskUse { used_bytes: 0, total_bytes: 0, free_bytes: 0 };
        assert_eq!(disk(&full)["percent"], json!(0.0));
    }
}
