//! Looking at sessions, interrupting them, removing them.

use agcluster_core::protocol::TurnId;
use agcluster_core::session::{AgentId, LaunchTimings, Repository, SessionId, SessionInfo, Waking};
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::extract::{MaybeJson, Path};
use crate::openapi::problems::{AGENT, BODY, CALLER, PROVIDER, RUNNING, SESSION, problems};
use crate::openapi::schemas::nothing::Null;
use crate::openapi::schemas::{TimingsSchema, WakingSchema};
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, delete)).routes(routes!(interrupt))
}

problems!(ListProblems = CALLER);
problems!(GetProblems = SESSION);
problems!(DeleteProblems = SESSION, PROVIDER, ["session_removed", "store_unavailable"]);
problems!(InterruptProblems = SESSION, BODY, RUNNING, AGENT, ["session_idle"]);

/// A session, as clients see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView<'a> {
    /// Its name.
    #[schema(value_type = String)]
    session_id: &'a SessionId,
    /// The name of its agent.
    #[schema(value_type = String)]
    agent_id: &'a AgentId,
    /// The configuration it was launched with.
    config_id: &'a str,
    /// The provider it is on.
    provider: &'a str,
    /// `starting`, `running`, `paused`, `sleeping`, `stopping`, `stopped` or `failed`.
    status: &'static str,
    /// Why it is in that state, where that needs saying.
    reason: Option<&'a str>,
    /// The turn that runs.
    #[schema(value_type = Option<Uuid>)]
    turn: Option<TurnId>,
    /// The turns that wait, oldest first.
    #[schema(value_type = Vec<Uuid>)]
    queued: &'a [TurnId],
    /// Whether its agent server is being listened to.
    attached: bool,
    /// What waking it takes, while it rests.
    #[schema(value_type = Option<WakingSchema>)]
    waking: Option<Waking>,
    /// What its owner has to bring for it to go on, in words.
    credentials_required: Option<&'a str>,
    /// The vendor's id of the conversation.
    conversation: Option<&'a str>,
    /// The number of its container: grows with each new one.
    generation: u32,
    /// The agent program's name and version, once it runs.
    agent: Option<&'a str>,
    /// When it was launched.
    created_at: Timestamp,
    /// When something last acted in it.
    last_active: Timestamp,
    /// When the platform ends its container, if it does so by itself.
    expires_at: Option<Timestamp>,
    /// What is less than was asked for, one sentence each.
    warnings: &'a [String],
    /// The repository that it began with.
    repository: Option<RepositoryView<'a>>,
    /// How long the launch took, once it is done.
    #[schema(value_type = Option<TimingsSchema>)]
    timings: Option<LaunchTimings>,
    /// Always null; earlier clients expect the field.
    #[schema(value_type = Null)]
    config: (),
}

/// The repository that a session began with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RepositoryView<'a> {
    /// Where it is.
    url: &'a str,
    /// The branch or tag; the repository's own choice when absent.
    branch: Option<&'a str>,
    /// Its folder below the workspace; named like the repository when absent.
    path: Option<&'a str>,
}

impl<'a> RepositoryView<'a> {
    fn of(repository: &'a Repository) -> Self {
        Self { url: &repository.url, branch: repository.branch.as_deref(), path: repository.path.as_deref() }
    }
}

impl<'a> SessionView<'a> {
    fn of(info: &'a SessionInfo) -> Self {
        Self {
            session_id: &info.id,
            agent_id: &info.agent_id,
            config_id: &info.config_id,
            provider: &info.provider,
            status: info.state.status.as_str(),
            reason: info.state.status.reason(),
            turn: info.state.turn,
            queued: &info.queued,
            attached: info.attached,
            waking: info.waking,
            credentials_required: info.credentials_required.as_deref(),
            conversation: info.state.conversation.as_deref(),
            generation: info.state.generation,
            agent: info.agent.as_deref(),
            created_at: info.created_at,
            last_active: info.last_active,
            expires_at: info.state.expires_at,
            warnings: &info.warnings,
            repository: info.repository.as_ref().map(RepositoryView::of),
            timings: info.timings,
            config: (),
        }
    }
}

/// The sessions of a caller.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what `list` answers, for the description")]
struct SessionList<'a> {
    /// How many.
    total: usize,
    /// Oldest first.
    sessions: Vec<SessionView<'a>>,
}

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// `success`.
    status: &'static str,
    /// One sentence.
    message: String,
    /// The turn that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    turn_id: Option<TurnId>,
}

impl Done {
    fn new(message: String, turn_id: Option<TurnId>) -> Json<Self> {
        Json(Self { status: "success", message, turn_id })
    }
}

/// A session, as clients see it.
pub(crate) fn render(info: &SessionInfo) -> Value {
    serde_json::to_value(SessionView::of(info)).unwrap_or_default()
}

/// Lists the caller's sessions.
#[utoipa::path(
    get, path = "/api/agents/sessions", operation_id = "list_sessions", tag = "Sessions",
    security(("key" = [])),
    responses((status = 200, description = "The sessions", body = SessionList), ListProblems),
)]
pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> Json<Value> {
    let own = state.sessions.list().into_iter().filter(|session| session.owner() == caller.owner);
    let sessions: Vec<Value> = own.map(|session| render(&session.info())).collect();
    Json(json!({ "total": sessions.len(), "sessions": sessions }))
}

/// One session.
#[utoipa::path(
    get, path = "/api/agents/sessions/{id}", operation_id = "get_session", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    responses((status = 200, description = "The session", body = SessionView), GetProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(render(&caller.session(&state, &id)?.info())))
}

/// Removes a session, and answers when container and workspace are gone.
#[utoipa::path(
    delete, path = "/api/agents/sessions/{id}", operation_id = "delete_session", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    responses((status = 200, description = "It is gone", body = Done), DeleteProblems),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    caller.session(&state, &id)?;
    state.sessions.remove(&SessionId::from_text(&*id)).await?;
    Ok(Done::new(format!("Session {id} stopped and removed"), None))
}

/// Which turn shall end.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct InterruptRequest {
    /// The turn that is meant; whichever runs when it is left out.
    #[schema(value_type = Option<Uuid>)]
    turn_id: Option<TurnId>,
}

/// Ends the running turn: its terminal event follows in its stream.
#[utoipa::path(
    post, path = "/api/agents/sessions/{id}/interrupt", operation_id = "interrupt_session", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = Option<InterruptRequest>,
    responses((status = 200, description = "The agent was told", body = Done), InterruptProblems),
)]
pub(crate) async fn interrupt(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    MaybeJson(request): MaybeJson<InterruptRequest>,
) -> Result<Json<Done>, Problem> {
    let turn = caller.session(&state, &id)?.interrupt(request.turn_id).await?;
    Ok(Done::new(format!("Interrupt signal sent to session {id}"), Some(turn)))
}
