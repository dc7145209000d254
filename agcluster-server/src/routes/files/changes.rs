//! What changes in a workspace, live.

use agcluster_core::protocol::workspace::{Place, Placed};
use agcluster_core::workspace::files::{ChangeKind, Changes, ChangesQuery};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, future};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::at::{At, parameter};
use super::preview;
use crate::cursor::Resume;
use crate::extract::Query;
use crate::openapi::problems::{CURSOR, FILE, QUERY, RUNNING, SESSION, problems};
use crate::openapi::schemas::any_of::AnyOf;
use crate::openapi::schemas::streams::ChangesEnd;
use crate::sse::FrameId;
use crate::{AppState, Problem, sse};

problems!(ChangesProblems = SESSION, QUERY, CURSOR, RUNNING, FILE, ["too_many", "range_not_satisfiable"]);

/// Changes, or why there are no more.
type ChangesDatum = AnyOf<Batch, ChangesEnd>;

/// What was changed lately.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Batch {
    changes: Vec<Changed>,
    /// Whether there were more than are told: look at the tree again.
    overflow: bool,
    /// Whether there are more folders than are watched.
    partial: bool,
}

/// A change of one path.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    path: String,
    /// The path as it stands in a URL, where `path` is not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url_path: Option<String>,
    /// `created`, `modified` or `removed`: what happened to it last.
    #[schema(value_type = String)]
    kind: ChangeKind,
}

impl From<Changes> for Batch {
    fn from(Changes { changes, overflow, partial }: Changes) -> Self {
        let changes = changes.into_iter().map(|change| Changed {
            url_path: (!change.path.is_text()).then(|| change.path.to_url()),
            path: change.path.text().into_owned(),
            kind: change.kind,
        });
        Self { changes: changes.collect(), overflow, partial }
    }
}

/// Changes of files as they happen, for a request that accepts `text/event-stream`.
///
/// Those of a moment come together, each path once. The first frame has none: from then on is watched. What is in `.git` and `node_modules` is not
/// watched. The container goes on to watch for two minutes after its reader left, and keeps what it has seen: behind an id, what is missing is
/// told, also after a restart of the server. For any other request, this is the file called `changes`.
#[utoipa::path(
    get, path = "/api/files/{id}/changes", operation_id = "watch_files", tag = "Files",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("path" = Option<String>, Query, description = "The folder, from the workspace's root"),
        preview::Raw,
        Resume<Place>,
    ),
    responses(
        (status = 200, description = "The changes, or the file", content(
            (ChangesDatum = "text/event-stream"), (preview::Preview = "application/json"),
        )),
        (status = 206, description = "The range of the file", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "The file is the one that the caller has"),
        ChangesProblems,
    ),
)]
pub(crate) async fn watch(
    State(state): State<AppState>,
    at: At,
    OriginalUri(uri): OriginalUri,
    Query(raw): Query<preview::Raw>,
    resume: Result<Resume<Place>, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/event-stream") {
        return preview::get(at, Query(raw), headers).await;
    }
    // A file may be asked for with whatever its own client means by it.
    let Resume(after) = resume?;
    let query = ChangesQuery { path: parameter(&uri, "path").unwrap_or_default(), after };
    let changes = at.workspace.changes(&query).await?;
    let frames = changes.enumerate().scan(false, move |ended, (index, batch)| {
        let frame = match batch {
            _ if *ended => None,
            // The first says that it is watched. Later ones without a place are signs of life, of which this stream has its own.
            Ok(Placed { frame, place: None })
                if (index > 0 || after.is_some()) && frame.changes.is_empty() && !frame.overflow =>
            {
                Some(Bytes::new())
            }
            Ok(Placed { frame, place }) => {
                let frame = serde_json::to_vec(&Batch::from(frame)).ok();
                frame.map(|frame| sse::frame(place.map(FrameId::At), &frame))
            }
            Err(error) => {
                *ended = true;
                let error = Problem::from(agcluster_core::session::SessionError::from(error));
                serde_json::to_vec(&json!({ "error": error })).ok().map(|frame| sse::frame(None, &frame))
            }
        };
        future::ready(frame)
    });
    let frames = frames.filter(|frame| future::ready(!frame.is_empty()));
    let sessions = state.sessions.clone();
    Ok(sse::response(frames.take_until(Box::pin(async move { sessions.shutting_down().await }))))
}
