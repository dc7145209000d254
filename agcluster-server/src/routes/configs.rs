//! The agent configurations.

use agcluster_core::config::AgentConfig;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::Path;
use crate::openapi::problems::problems;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

problems!(ConfigProblems = ["invalid_path", "config_not_found", "config_invalid"]);

/// Lists the configurations, sorted by id, and what is wrong with the files that cannot be used.
#[utoipa::path(
    get, path = "/api/configs/", operation_id = "list_configs", tag = "Configurations",
    responses((status = 200, description = "All configurations", body = Value)),
)]
pub(crate) async fn list(State(state): State<AppState>) -> Json<Value> {
    let configs: Vec<_> = state.configs.list().iter().map(|entry| entry.summary()).collect();
    Json(json!({ "total": configs.len(), "configs": configs, "problems": state.configs.problems() }))
}

/// One configuration, whole.
#[utoipa::path(
    get, path = "/api/configs/{id}", operation_id = "get_config", tag = "Configurations",
    params(("id" = String, Path, description = "The configuration")),
    responses((status = 200, description = "The configuration", body = Value), ConfigProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Arc<AgentConfig>>, Problem> {
    Ok(Json(state.configs.get(&id)?))
}
