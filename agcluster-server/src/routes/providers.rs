//! Where sessions can be launched.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::AppState;

/// `GET /api/providers`: each with its capabilities and whether it answers.
pub(crate) async fn list(State(state): State<AppState>) -> Json<Value> {
    let set = state.sessions.providers();
    let mut providers = Vec::new();
    for (name, provider) in set.iter() {
        let health = state.readiness.of(name, provider.as_ref()).await;
        let info = provider.info();
        providers.push(json!({
            "name": name,
            "default": name == set.default_name(),
            "capabilities": info.capabilities,
            "health": health,
        }));
    }
    Json(json!({ "total": providers.len(), "providers": providers }))
}
