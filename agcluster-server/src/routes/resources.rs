//! What a session's container uses.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::protocol::resources::{CpuUse, DiskUse, Measured, MemoryUse, NetworkUse, ResourceUse};
use agcluster_core::provider::ContainerId;
use agcluster_core::session::{Session, SessionId};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::OwnSession;
use crate::cursor::Resume;
use crate::extract::Query;
use crate::openapi::problems::{AGENT, CURSOR, QUERY, RUNNING, SESSION, problems};
use crate::openapi::schemas::{CpuSchema, MeasuredSchema, NetworkSchema};
use crate::sse::FrameId;
use crate::{AppState, Problem, sse};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(watch))
}

problems!(ResourcesProblems = SESSION, QUERY, CURSOR, RUNNING, AGENT);

/// How to look at it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Pace {
    /// The seconds between two events of a stream: 1 to 60, 2 when left out
    interval: Option<u64>,
}

/// What a container uses. What is not measured is null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Used {
    /// The session.
    #[schema(value_type = String)]
    session_id: SessionId,
    /// The platform's name of its container.
    #[schema(value_type = Option<String>)]
    container_id: Option<ContainerId>,
    /// What the session is doing.
    status: &'static str,
    /// Of what this is.
    #[schema(value_type = MeasuredSchema)]
    measured: Measured,
    /// Processor time.
    #[schema(value_type = Option<CpuSchema>)]
    cpu: Option<CpuUse>,
    /// Memory.
    memory: Option<Memory>,
    /// The file system of the workspace.
    disk: Option<Disk>,
    /// The network.
    #[schema(value_type = Option<NetworkSchema>)]
    network: Option<NetworkUse>,
    /// Processes.
    processes: Option<u64>,
}

/// Memory that is used.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct Memory {
    used_bytes: u64,
    /// The most there may be.
    limit_bytes: Option<u64>,
    /// The share of the limit.
    percent: Option<f64>,
    /// In mebibytes.
    used_mb: f64,
    /// In mebibytes.
    limit_mb: Option<f64>,
}

/// How full a file system is.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct Disk {
    used_bytes: u64,
    total_bytes: u64,
    /// What the agent's user may still write.
    free_bytes: u64,
    /// The share of what that user may have.
    percent: f64,
}

impl Used {
    fn of(session: &Session, used: &ResourceUse) -> Self {
        Self {
            session_id: session.id().clone(),
            container_id: session.container(),
            status: session.state().borrow().status.as_str(),
            measured: used.measured,
            cpu: used.cpu,
            memory: used.memory.as_ref().map(Memory::from),
            disk: used.disk.as_ref().map(Disk::from),
            network: used.network,
            processes: used.processes,
        }
    }
}

impl From<&MemoryUse> for Memory {
    fn from(memory: &MemoryUse) -> Self {
        let limit = memory.limit_bytes;
        Self {
            used_bytes: memory.used_bytes,
            limit_bytes: limit,
            percent: limit.map(|limit| percent(memory.used_bytes, limit)),
            used_mb: mebibytes(memory.used_bytes),
            limit_mb: limit.map(mebibytes),
        }
    }
}

impl From<&DiskUse> for Disk {
    fn from(disk: &DiskUse) -> Self {
        Self {
            used_bytes: disk.used_bytes,
            total_bytes: disk.total_bytes,
            free_bytes: disk.free_bytes,
            percent: percent(disk.used_bytes, disk.used_bytes.saturating_add(disk.free_bytes)),
        }
    }
}

/// What the container uses now; as a stream for `Accept: text/event-stream`.
///
/// `measured` says of what this is: of the `container`, of the `process_tree` on a machine that it shares, or of `nothing`. What is not
/// measured is null. `cpu.percent` is of one processor.
#[utoipa::path(
    get, path = "/api/resources/{id}", operation_id = "get_resources", tag = "Resources",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Pace, Resume),
    responses(
        (status = 200, description = "What it uses", content(
            (Used = "application/json"),
            (Used = "text/event-stream"),
        )),
        ResourcesProblems,
    ),
)]
pub(crate) async fn get(
    state: State<AppState>,
    own: OwnSession,
    Query(pace): Query<Pace>,
    resume: Resume,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/event-stream") {
        return watch(state, own, Query(pace), resume).await;
    }
    let OwnSession(session) = own;
    let used = session.resources().await?;
    Ok(Json(Used::of(&session, &used)).into_response())
}

/// Streams what the container uses, until the session does not run any more.
///
/// These are readings, not events: an id is the time of one, in milliseconds. Whoever comes again gets the newest reading at once, none twice, and
/// none of those in between.
#[utoipa::path(
    get, path = "/api/resources/{id}/stream", operation_id = "watch_resources", tag = "Resources",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Pace, Resume),
    responses(
        (status = 200, description = "What it uses", content_type = "text/event-stream", body = Used),
        ResourcesProblems,
    ),
)]
pub(crate) async fn watch(
    State(state): State<AppState>,
    OwnSession(session): OwnSession,
    Query(pace): Query<Pace>,
    resume: Resume,
) -> Result<Response, Problem> {
    let seconds = pace.interval.unwrap_or(2);
    if !(1..=60).contains(&seconds) {
        return Err(Problem::bad_request("invalid_query", "interval must be between 1 and 60 seconds"));
    }
    let seen = resume.after()?.unwrap_or_default();
    if seen > now() {
        return Err(Problem::bad_request("cursor_in_future", "there is no reading of that time yet"));
    }
    // What cannot be measured at all is refused before there is a stream.
    let first = session.resources().await?;
    let mut ticks = interval(Duration::from_secs(seconds));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let sessions = state.sessions.clone();
    let frames =
        frames(session, first, seen, ticks).take_until(async move { sessions.shutting_down().await });
    Ok(sse::response(frames))
}

/// Readings that are taken one after another.
struct Readings {
    session: Arc<Session>,
    first: Option<ResourceUse>,
    /// The time of the last one.
    last: u64,
    ticks: Interval,
}

fn frames(
    session: Arc<Session>,
    first: ResourceUse,
    last: u64,
    ticks: Interval,
) -> impl Stream<Item = Bytes> + Send {
    let readings = Readings { session, first: Some(first), last, ticks };
    stream::unfold(readings, |mut readings| async move { Some((readings.next().await?, readings)) })
}

impl Readings {
    async fn next(&mut self) -> Option<Bytes> {
        let used = match self.first.take() {
            Some(first) => first,
            None => {
                self.ticks.tick().await;
                self.session.resources().await.ok()?
            }
        };
        // A clock may stand still, or be set back.
        self.last = now().max(self.last.saturating_add(1));
        let data = json!(Used::of(&self.session, &used)).to_string();
        Some(sse::frame(Some(FrameId::Event(self.last)), data.as_bytes()))
    }
}

/// The time, in milliseconds.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
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
        let shown = Memory::from(&used);
        assert_eq!((shown.percent, shown.used_mb, shown.limit_mb), (Some(25.0), 1.5, Some(6.0)));
        assert_eq!(Memory::from(&MemoryUse { limit_bytes: None, ..used }).percent, None);
        let full = DiskUse { used_bytes: 0, total_bytes: 0, free_bytes: 0 };
        assert_eq!(Disk::from(&full).percent, 0.0);
    }
}
