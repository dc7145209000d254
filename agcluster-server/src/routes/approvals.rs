//! What agents ask of people: over all sessions of the caller, and one by one.

use std::collections::{BTreeMap, BTreeSet};

use agcluster_core::protocol::Decision;
use agcluster_core::session::{Owner, Sessions};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::extract::{self, Path, Query};
use crate::openapi::problems::{AGENT, BODY, CALLER, QUERY, RUNNING, problems};
use crate::openapi::schemas::DecisionSchema;
use crate::openapi::schemas::streams::ApprovalDatum;
use crate::projections::approval::{self, ApprovalView};
use crate::{AppState, Problem, sse};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(stream)).routes(routes!(get, answer))
}

/// The approval of the path cannot be had.
const APPROVAL: &[&str] = &["unauthorized", "invalid_path", "approval_not_found", "store_unavailable"];

problems!(ListProblems = CALLER, QUERY, ["session_not_found", "store_unavailable"]);
problems!(StreamProblems = CALLER);
problems!(GetProblems = APPROVAL);
problems!(
    AnswerProblems = APPROVAL,
    BODY,
    RUNNING,
    AGENT,
    ["answer_invalid", "approval_answered", "approval_expired", "approval_withdrawn"],
);

/// What of the caller's approvals is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those of this session alone.
    session_id: Option<String>,
}

/// What is decided: `allow` (with another `input`, with a `scope`), `deny`, or `answers` to questions.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Given {
    /// Why. The model is told the reason of a denial.
    reason: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = DecisionSchema)]
    decision: Decision,
}

/// What waits for an answer.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what `list` answers, for the description")]
struct ApprovalList<'a> {
    /// How many.
    total: usize,
    /// Oldest first.
    approvals: Vec<ApprovalView<'a>>,
}

/// Lists what waits for an answer in all sessions of the caller, oldest first.
#[utoipa::path(
    get, path = "/api/approvals", operation_id = "list_approvals", tag = "Approvals",
    security(("key" = [])), params(Wanted),
    responses((status = 200, description = "What waits", body = ApprovalList), ListProblems),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(Wanted { session_id }): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let pending = match session_id {
        Some(id) => caller.session(&state, &id)?.approvals().await?,
        None => state.sessions.approvals(caller.owner).await?,
    };
    let approvals: Vec<Value> = pending.iter().map(approval::render).collect();
    Ok(Json(json!({ "total": approvals.len(), "approvals": approvals })))
}

/// One approval, however it stands.
#[utoipa::path(
    get, path = "/api/approvals/{id}", operation_id = "get_approval", tag = "Approvals",
    security(("key" = [])), params(("id" = String, Path, description = "The approval")),
    responses((status = 200, description = "The approval", body = ApprovalView), GetProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (session, seq) = caller.approval(&state, &id)?;
    Ok(Json(approval::render(&session.approval(seq).await?)))
}

/// Decides an approval.
///
/// The first answer counts. The same one again is success, another one is refused with how it was decided.
#[utoipa::path(
    post, path = "/api/approvals/{id}", operation_id = "answer_approval", tag = "Approvals",
    security(("key" = [])), params(("id" = String, Path, description = "The approval")),
    request_body = Given,
    responses((status = 200, description = "The approval as it now stands", body = ApprovalView), AnswerProblems),
)]
pub(crate) async fn answer(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    extract::Json(Given { reason, decision }): extract::Json<Given>,
) -> Result<Json<Value>, Problem> {
    let (session, seq) = caller.approval(&state, &id)?;
    Ok(Json(approval::render(&session.answer_approval(seq, decision, reason).await?)))
}

/// Streams what waits for an answer in all sessions of the caller, then every change of that.
///
/// A client that comes again gets all that waits anew, so there is no cursor.
#[utoipa::path(
    get, path = "/api/approvals/stream", operation_id = "stream_approvals", tag = "Approvals",
    security(("key" = [])),
    responses(
        (status = 200, description = "`approval_requested` and `approval_settled`", content_type = "text/event-stream", body = ApprovalDatum),
        StreamProblems,
    ),
)]
pub(crate) async fn stream(State(state): State<AppState>, caller: Caller) -> Response {
    let sessions = state.sessions.clone();
    let mut changes = sessions.approvals_changed();
    changes.mark_changed();
    let watched = Watched { sessions, owner: caller.owner, changes, pending: BTreeSet::new() };
    let frames =
        futures::stream::unfold(watched, |mut watched| async move { Some((watched.next().await?, watched)) });
    let ended = async move { state.sessions.shutting_down().await };
    sse::response(frames.take_until(ended).filter(|frames| std::future::ready(!frames.is_empty())))
}

/// An owner's pending approvals, as a client has seen them last.
struct Watched {
    sessions: Sessions,
    owner: Owner,
    changes: watch::Receiver<u64>,
    pending: BTreeSet<String>,
}

impl Watched {
    /// The frames of what changed; nothing when no more will.
    async fn next(&mut self) -> Option<Bytes> {
        self.changes.changed().await.ok()?;
        let Ok(approvals) = self.sessions.approvals(self.owner).await else {
            // The store does not work for the moment: the next change is seen again.
            return Some(Bytes::new());
        };
        let now: BTreeMap<String, _> = approvals.iter().map(|approval| (approval.name(), approval)).collect();
        let mut frames = Vec::new();
        for (name, approval) in &now {
            if !self.pending.contains(name) {
                frames.push(frame("approval_requested", approval::render(approval)));
            }
        }
        for name in self.pending.iter().filter(|name| !now.contains_key(*name)) {
            frames.push(frame("approval_settled", self.settled(name).await));
        }
        self.pending = now.into_keys().collect();
        Some(frames.concat().into())
    }

    async fn settled(&self, name: &str) -> Value {
        let found = match self.sessions.approval(name, self.owner) {
            Ok((session, seq)) => session.approval(seq).await,
            Err(error) => Err(error),
        };
        // The session was removed.
        found.map_or_else(
            |_| json!({ "id": name, "status": "withdrawn" }),
            |approval| approval::render(&approval),
        )
    }
}

fn frame(kind: &str, approval: Value) -> Bytes {
    sse::frame(None, json!({ "type": kind, "approval": approval }).to_string().as_bytes())
}
