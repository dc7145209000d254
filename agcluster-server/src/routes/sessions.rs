//! Looking at sessions, interrupting them, removing them.

use agcluster_core::protocol::TurnId;
use agcluster_core::session::{SessionId, SessionInfo};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::extract::{MaybeJson, Path};
use crate::openapi::problems::{AGENT, BODY, CALLER, PROVIDER, RUNNING, SESSION, problems};
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
pub(crate) fn render(info: &SessionInfo) -> Value {
    json!({
        "session_id": info.id,
        "agent_id": info.agent_id,
        "config_id": info.config_id,
        "provider": info.provider,
        "status": info.state.status.as_str(),
        "reason": info.state.status.reason(),
        "turn": info.state.turn,
        "queued": info.queued,
        "attached": info.attached,
        "waking": info.waking,
        "credentials_required": info.credentials_required,
        "conversation": info.state.conversation,
        "generation": info.state.generation,
        "agent": info.agent,
        "created_at": info.created_at,
        "last_active": info.last_active,
        "expires_at": info.state.expires_at,
        "warnings": info.warnings,
        "repository": info.repository.as_ref().map(|repository| json!({
            "url": repository.url, "branch": repository.branch, "path": repository.path,
        })),
        "timings": info.timings,
        "config": null,
    })
}

/// Lists the caller's sessions.
#[utoipa::path(
    get, path = "/api/agents/sessions", operation_id = "list_sessions", tag = "Sessions",
    security(("key" = [])),
    responses((status = 200, description = "The sessions", body = Value), ListProblems),
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
    responses((status = 200, description = "The session", body = Value), GetProblems),
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
    responses((status = 200, description = "It is gone", body = Value), DeleteProblems),
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.session(&state, &id)?;
    state.sessions.remove(&SessionId::from_text(&*id)).await?;
    Ok(Json(json!({ "status": "success", "message": format!("Session {id} stopped and removed") })))
}

/// Which turn shall end.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct InterruptRequest {
    /// The turn that is meant; whichever runs when it is left out.
    turn_id: Option<TurnId>,
}

/// Ends the running turn: its terminal event follows in its stream.
#[utoipa::path(
    post, path = "/api/agents/sessions/{id}/interrupt", operation_id = "interrupt_session", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = Option<Value>,
    responses((status = 200, description = "The agent was told", body = Value), InterruptProblems),
)]
pub(crate) async fn interrupt(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    MaybeJson(request): MaybeJson<InterruptRequest>,
) -> Result<Json<Value>, Problem> {
    let turn = caller.session(&state, &id)?.interrupt(request.turn_id).await?;
    Ok(Json(
        json!({ "status": "success", "message": format!("Interrupt signal sent to session {id}"), "turn_id": turn }),
    ))
}
