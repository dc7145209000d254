//! Looking at sessions, interrupting them, removing them.

use agcluster_core::session::{SessionId, SessionInfo};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::extract::Path;
use crate::{AppState, Problem};

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
        "credentials_required": info.credentials_required,
        "conversation": info.state.conversation,
        "generation": info.state.generation,
        "agent": info.agent,
        "created_at": info.created_at,
        "last_active": info.last_active,
        "expires_at": info.state.expires_at,
        "warnings": info.warnings,
        "timings": info.timings,
        "config": null,
    })
}

/// `GET /api/agents/sessions`: the caller's.
pub(crate) async fn list(State(state): State<AppState>, caller: Caller) -> Json<Value> {
    let own = state.sessions.list().into_iter().filter(|session| session.owner() == caller.owner);
    let sessions: Vec<Value> = own.map(|session| render(&session.info())).collect();
    Json(json!({ "total": sessions.len(), "sessions": sessions }))
}

/// `GET /api/agents/sessions/{id}`
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(render(&caller.session(&state, &id)?.info())))
}

/// `DELETE /api/agents/sessions/{id}`: answers when container and workspace are gone.
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.session(&state, &id)?;
    state.sessions.remove(&SessionId::from_text(&*id)).await?;
    Ok(Json(json!({ "status": "success", "message": format!("Session {id} stopped and removed") })))
}

/// `POST /api/agents/sessions/{id}/interrupt`: the turn's terminal event follows in its stream.
pub(crate) async fn interrupt(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let turn = caller.session(&state, &id)?.interrupt().await?;
    Ok(Json(
        json!({ "status": "success", "message": format!("Interrupt signal sent to session {id}"), "turn_id": turn }),
    ))
}
