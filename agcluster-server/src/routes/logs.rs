//! What a session's container wrote to its standard streams: the log of its agent server.

use agcluster_core::provider::{ErrorKind, LogLine, LogOptions, LogPlace, LogSource};
use agcluster_core::session::SessionError;
use agcluster_core::workspace::TextPieces;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, future};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::OwnSession;
use crate::cursor::Resume;
use crate::extract::Query;
use crate::openapi::problems::{CURSOR, PROVIDER, QUERY, SESSION, problems};
use crate::openapi::schemas::streams::LogDatum;
use crate::sse::FrameId;
use crate::{AppState, Problem, sse};

/// The most lines that may be asked for.
const MOST_LINES: u32 = 10_000;
const USUAL_LINES: u32 = 1000;
/// The most in one frame.
const PIECE: usize = 64 * 1024;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream))
}

problems!(LogsProblems = SESSION, QUERY, CURSOR, PROVIDER, ["session_not_running", "session_unreachable"]);

/// Which part of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Only the last so many lines: 1 to 10000, 1000 when left out
    tail: Option<u32>,
    /// Whether to go on with new lines until the container ends
    #[serde(default)]
    follow: bool,
}

/// Streams what the container wrote to its standard streams, where the platform keeps that.
///
/// Each event is a piece as it was written: `{"stream": "stdout" | "stderr", "data": TEXT}`. The last one is `end`. Behind an id comes what
/// follows it in the log of this container, whatever `tail` says.
#[utoipa::path(
    get, path = "/api/agents/{id}/logs", operation_id = "get_logs", tag = "Resources",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Part, Resume<LogPlace>),
    responses(
        (status = 200, description = "The log", content_type = "text/event-stream", body = LogDatum),
        LogsProblems,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    OwnSession(session): OwnSession,
    Query(Part { tail, follow }): Query<Part>,
    Resume(after): Resume<LogPlace>,
) -> Result<Response, Problem> {
    let tail = tail.unwrap_or(USUAL_LINES);
    if !(1..=MOST_LINES).contains(&tail) {
        let detail = format!("tail must be between 1 and {MOST_LINES}");
        return Err(Problem::bad_request("invalid_query", detail));
    }
    let options = LogOptions { tail: Some(tail), follow, after };
    let lines = session.logs(options).await.map_err(|error| match after {
        None => error.into(),
        Some(after) => refused(after, error),
    })?;
    let mut text = (TextPieces::new(), TextPieces::new());
    let frames = lines.map(move |line| match line {
        Ok(line) => frame(&mut text, &line),
        Err(error) => {
            let problem = Problem::from(error);
            sse::named_frame("error", json!({ "code": problem.code, "detail": problem.detail }))
        }
    });
    let sessions = state.sessions.clone();
    let frames = frames
        .filter(|frame| future::ready(!frame.is_empty()))
        .take_until(async move { sessions.shutting_down().await })
        .chain(futures::stream::once(future::ready(sse::named_frame("end", json!({})))));
    Ok(sse::response(frames))
}

fn frame((stdout, stderr): &mut (TextPieces, TextPieces), line: &LogLine) -> Bytes {
    let (name, text) = match line.source {
        LogSource::Stdout => ("stdout", stdout),
        LogSource::Stderr => ("stderr", stderr),
    };
    let mut frames = Vec::new();
    let mut pieces = line.bytes.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let data = json!({ "stream": name, "data": text.push(piece) });
        // What has come of a line that is longer than a piece comes again with the rest of it.
        let id = line.place.filter(|_| pieces.peek().is_none()).map(FrameId::Log);
        frames.extend_from_slice(&sse::frame(id, data.to_string().as_bytes()));
    }
    // The client has it.
    if line.seen { Bytes::new() } else { frames.into() }
}

/// Why a log cannot be read behind a place.
fn refused(after: LogPlace, error: SessionError) -> Problem {
    match &error {
        SessionError::Provider(failure) => match failure.kind() {
            ErrorKind::Gone => {
                let detail = "what follows is no longer kept: read the log anew, without an id to go on from";
                Problem::new(StatusCode::GONE, "cursor_expired", detail)
            }
            ErrorKind::Invalid => {
                Problem::bad_request("cursor_in_future", format!("nothing was written at {after} yet"))
            }
            _ => error.into(),
        },
        _ => error.into(),
    }
}
