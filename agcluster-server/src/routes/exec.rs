//! Commands in a session's container.

use std::collections::BTreeMap;

use agcluster_core::protocol::Secret;
use agcluster_core::protocol::workspace::{Data, Exec, ExecFrame, Exit, KeptExec, Placed};
use agcluster_core::workspace::{Execution, TextPieces};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::chat::wants_stream;
use super::idempotency;
use crate::auth::OwnWorkspace;
use crate::extract::Digested;
use crate::openapi::problems::{AGENT, BODY, CURSOR, IDEMPOTENCY, RUNNING, SESSION, problems};
use crate::openapi::schemas::streams::ExecDatum;
use crate::sse::FrameId;
use crate::{AppState, Problem, sse};

/// The most of each stream in an answer that comes at once.
const MOST_OUTPUT: usize = 1 << 20;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(exec))
}

problems!(
    ExecProblems = SESSION,
    BODY,
    CURSOR,
    IDEMPOTENCY,
    RUNNING,
    AGENT,
    [
        "idempotency_key_missing",
        "command_not_found",
        "too_many_commands",
        "file_not_found",
        "wrong_file_type",
        "forbidden"
    ],
);

/// A command to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The program and its arguments. There is no shell in between: for one, send `["sh", "-c", "…"]`.
    command: Vec<String>,
    /// The folder to start in, relative to the workspace.
    #[serde(default)]
    cwd: Option<String>,
    /// Variables of its environment.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    env: BTreeMap<String, Secret>,
    /// Its standard input, as text.
    #[serde(default)]
    stdin: Option<String>,
    /// The longest it may run, in seconds; ten minutes when left out.
    #[serde(default)]
    timeout_seconds: Option<u32>,
    /// How its output is written.
    #[serde(default)]
    encoding: Encoding,
}

/// How bytes are written in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As text; what is no UTF-8 becomes replacement characters.
    #[default]
    Utf8,
    /// As base64, without loss.
    Base64,
}

/// How a command ended.
#[derive(Debug, Serialize, ToSchema)]
struct End {
    /// Its exit code, if it ended by itself.
    exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    signal: Option<i32>,
    /// Whether its time was up.
    timed_out: bool,
    /// How long it ran.
    duration_ms: u64,
}

impl End {
    fn of(exit: Exit, timed_out: bool, duration_ms: u64) -> Self {
        Self { exit_code: exit.code, signal: exit.signal, timed_out, duration_ms }
    }
}

/// A command that has ended, with what it wrote.
#[derive(Debug, Serialize, ToSchema)]
struct Whole {
    #[serde(flatten)]
    end: End,
    /// What it wrote to its standard output.
    stdout: String,
    /// What it wrote to its standard error.
    stderr: String,
    /// Whether it wrote more.
    truncated: bool,
}

/// Runs a command in the container, as the agent's user, and streams what it writes.
///
/// Events are `stdout`, `stderr` and, last, `exit`. The command is killed with its process group when its time is up or the client
/// goes away. For `Accept: application/json` the answer comes at the end, with at most a mebibyte of each stream.
///
/// With `Idempotency-Key` each event has an id, and the command runs on for two minutes without its client: the same request with the same key does
/// not run it again, but gives its events, behind `Last-Event-ID` those that are missing.
#[utoipa::path(
    post, path = "/api/agents/{id}/exec", operation_id = "exec", tag = "Terminal",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that the client has of the command that it repeats"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat: 1 to 255 printable ASCII characters"),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "What the command writes, and how it ended", content(
            (ExecDatum = "text/event-stream"),
            (Whole = "application/json"),
        )),
        ExecProblems,
    ),
)]
pub(crate) async fn exec(
    State(state): State<AppState>,
    OwnWorkspace(workspace): OwnWorkspace,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<Request>,
) -> Result<Response, Problem> {
    let (encoding, streams) = (request.encoding, wants_stream(&headers));
    let key = idempotency::of(&headers, digest)?;
    let after = idempotency::cursor(&headers, key.as_ref())?.filter(|_| streams);
    let kept = key.map(|key| KeptExec { name: key.key, fingerprint: key.fingerprint, after });
    let execution = workspace.exec(&Exec { kept, ..request.into() }).await?;
    if !streams {
        let outcome = execution.finish(MOST_OUTPUT).await?;
        let end = End::of(outcome.exit, outcome.timed_out, outcome.duration_ms);
        let (stdout, stderr) = (whole(encoding, &outcome.stdout), whole(encoding, &outcome.stderr));
        return Ok(axum::Json(Whole { end, stdout, stderr, truncated: outcome.truncated }).into_response());
    }
    let stopped = state.sessions.clone();
    let frames = events(execution, encoding).take_until(async move { stopped.shutting_down().await });
    Ok(sse::response(frames))
}

impl From<Request> for Exec {
    fn from(request: Request) -> Self {
        Self {
            command: request.command,
            cwd: request.cwd,
            env: request.env,
            stdin: request.stdin.map(|text| Data(text.into_bytes())),
            timeout_ms: request.timeout_seconds.map(|seconds| u64::from(seconds) * 1000),
            kept: None,
        }
    }
}

/// A command and what is left of the characters that its output was cut in.
struct Told {
    execution: Execution,
    encoding: Encoding,
    stdout: TextPieces,
    stderr: TextPieces,
    over: bool,
}

fn events(execution: Execution, encoding: Encoding) -> impl Stream<Item = Bytes> + Send + 'static {
    let (stdout, stderr) = (TextPieces::new(), TextPieces::new());
    let told = Told { execution, encoding, stdout, stderr, over: false };
    stream::unfold(told, |mut told| async move {
        let frames = told.next().await?;
        Some((frames, told))
    })
}

impl Told {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let Placed { frame, place } = match self.execution.next().await {
            Ok(frame) => frame?,
            Err(error) => {
                self.over = true;
                let problem = Problem::from(error);
                let data = json!({ "code": problem.code, "detail": problem.detail });
                return Some(sse::named_frame("error", data));
            }
        };
        let id = place.map(FrameId::At);
        Some(match frame {
            ExecFrame::Stdout { data } => {
                output(id, "stdout", &text(self.encoding, &mut self.stdout, &data.0))
            }
            ExecFrame::Stderr { data } => {
                output(id, "stderr", &text(self.encoding, &mut self.stderr, &data.0))
            }
            ExecFrame::Exited { exit, timed_out, duration_ms } => {
                self.over = true;
                let mut last = Vec::new();
                for (name, rest) in [("stdout", self.stdout.end()), ("stderr", self.stderr.end())] {
                    if !rest.is_empty() {
                        last.extend_from_slice(&output(None, name, &rest));
                    }
                }
                last.extend_from_slice(&sse::placed_frame(
                    id,
                    "exit",
                    json!(End::of(exit, timed_out, duration_ms)),
                ));
                last.into()
            }
            ExecFrame::Alive | ExecFrame::Other => Bytes::new(),
        })
    }
}

fn output(id: Option<FrameId>, stream: &'static str, text: &str) -> Bytes {
    sse::placed_frame(id, stream, json!({ "data": text }))
}

fn text(encoding: Encoding, pieces: &mut TextPieces, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Utf8 => pieces.push(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}

fn whole(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}
