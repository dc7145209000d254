//! What the server is and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::readiness::Health;
use crate::{AppState, Problem};

/// `GET /`
pub(crate) async fn root() -> Json<Value> {
    Json(json!({
        "service": "AgCluster Container Runtime",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "running",
    }))
}

/// `GET /health`: this process lives. Asks nobody else.
pub(crate) async fn health(State(state): State<AppState>) -> Json<Value> {
    Json(json!({ "status": "healthy", "agent_image": state.defaults.image }))
}

/// `GET /ready`: a launch would work now. Asks the default providers in their order until one answers.
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    let mut details = Vec::new();
    for (name, provider) in state.sessions.providers().select::<&str>(&[])?.iter() {
        match state.readiness.of(name, provider.as_ref()).await {
            Health::Healthy { probe } => {
                return Ok(Json(json!({ "status": "ready", "provider": name, "probe": probe })));
            }
            Health::Unhealthy { detail, .. } => details.push(detail),
        }
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", details.join("; ")).retry_after(5))
}
