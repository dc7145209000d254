//! What people tell an agent besides prompts: answers to its requests, another model, another mode.

use agcluster_core::protocol::{Answer, Settings};
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::{AppState, Problem};

/// `POST /api/agents/sessions/{id}/answer`: answers a `permission_requested` or `question_asked` event.
pub(crate) async fn answer(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(answer): Json<Answer>,
) -> Result<axum::Json<Value>, Problem> {
    caller.session(&state, &id)?.answer(&answer).await?;
    Ok(axum::Json(json!({ "status": "success", "request_id": answer.request_id })))
}

/// `POST /api/agents/sessions/{id}/settings`: another model or permission mode from now on.
pub(crate) async fn settings(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(settings): Json<Settings>,
) -> Result<axum::Json<Value>, Problem> {
    caller.session(&state, &id)?.settings(&settings).await?;
    Ok(axum::Json(json!({ "status": "success" })))
}
