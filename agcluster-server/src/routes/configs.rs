//! The agent configurations.

use agcluster_core::config::AgentConfig;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::extract::Path;
use crate::{AppState, Problem};

/// `GET /api/configs/`: all, sorted by id, and what is wrong with the files that cannot be used.
pub(crate) async fn list(State(state): State<AppState>) -> Json<Value> {
    let configs: Vec<_> = state.configs.list().iter().map(|entry| entry.summary()).collect();
    Json(json!({ "total": configs.len(), "configs": configs, "problems": state.configs.problems() }))
}

/// `GET /api/configs/{id}`: one, whole.
pub(crate) async fn get(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Arc<AgentConfig>>, Problem> {
    Ok(Json(state.configs.get(&id)?))
}
