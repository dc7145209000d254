//! What agents ask of people: over all sessions of the caller, and one by one.

use agcluster_core::journal::JournalError;
use agcluster_core::protocol::Decision;
use agcluster_core::session::{ApprovalNews, News, Owner, SessionError, Sessions};
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
use crate::cursor::Resume;
use crate::extract::{self, Path, Query};
use crate::openapi::problems::{AGENT, BODY, CALLER, CURSOR, QUERY, RUNNING, problems};
use crate::openapi::schemas::DecisionSchema;
use crate::openapi::schemas::streams::ApprovalsDatum;
use crate::projections::approval::{self, ApprovalView};
use crate::projections::native;
use crate::sse::FrameId;
use crate::{AppState, Problem, sse};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(stream)).routes(routes!(get, answer))
}

/// The approval of the path cannot be had.
const APPROVAL: &[&str] = &["unauthorized", "invalid_path", "approval_not_found", "store_unavailable"];

problems!(ListProblems = CALLER, QUERY, ["session_not_found", "store_unavailable"]);
problems!(StreamProblems = CALLER, CURSOR);
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

/// Streams what waits for an answer in all sessions of the caller, then every change of that; behind an id, what was asked and settled since.
///
/// An id is a place among everything that was asked and settled in the caller's sessions, also after a restart of the server.
#[utoipa::path(
    get, path = "/api/approvals/stream", operation_id = "stream_approvals", tag = "Approvals",
    security(("key" = [])), params(Resume),
    responses(
        (status = 200, description = "`approval_requested` and `approval_settled`", content_type = "text/event-stream", body = ApprovalsDatum),
        StreamProblems,
    ),
)]
pub(crate) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    resume: Resume,
) -> Result<Response, Problem> {
    let (sessions, owner) = (state.sessions.clone(), caller.owner);
    // Before anything is read: what changes meanwhile is read next.
    let changes = sessions.approvals_changed();
    let (first, place) = match resume.after()? {
        Some(after) => sessions.approval_news(owner, after).await?,
        None => sessions.approvals_and_place(owner).await?,
    };
    let mut begun: Vec<u8> = first.iter().flat_map(frame).collect();
    begun.extend_from_slice(&sse::place(FrameId::Event(place)));
    let watched = Watched { sessions, owner, changes, place, broken: false };
    let news =
        futures::stream::unfold(watched, |mut watched| async move { Some((watched.next().await?, watched)) });
    let ended = async move { state.sessions.shutting_down().await };
    let frames = futures::stream::iter([Bytes::from(begun)]).chain(news.take_until(ended));
    Ok(sse::response(frames.filter(|frames| std::future::ready(!frames.is_empty()))))
}

/// What becomes of an owner's approvals.
struct Watched {
    sessions: Sessions,
    owner: Owner,
    changes: watch::Receiver<u64>,
    /// What is up to here has been told.
    place: u64,
    broken: bool,
}

impl Watched {
    /// The frames of what changed; nothing when no more will.
    async fn next(&mut self) -> Option<Bytes> {
        if self.broken {
            return None;
        }
        self.changes.changed().await.ok()?;
        match self.sessions.approval_news(self.owner, self.place).await {
            Ok((news, place)) => {
                self.place = place;
                Some(news.iter().flat_map(frame).collect())
            }
            // For the moment: the next change is seen again.
            Err(SessionError::Journal(JournalError::Store(_))) => Some(Bytes::new()),
            Err(error) => {
                self.broken = true;
                Some(native::broken(&error.into()))
            }
        }
    }
}

fn frame(news: &ApprovalNews) -> Bytes {
    let (kind, approval) = match &news.news {
        News::Requested(approval) => ("approval_requested", approval::render(approval)),
        News::Settled(approval) => ("approval_settled", approval::render(approval)),
        News::Forgotten { session, request_id } => {
            let approval = json!({ "session_id": session, "request_id": request_id, "status": "withdrawn" });
            ("approval_settled", approval)
        }
    };
    let data = json!({ "type": kind, "approval": approval }).to_string();
    sse::frame(news.number.map(FrameId::Event), data.as_bytes())
}
