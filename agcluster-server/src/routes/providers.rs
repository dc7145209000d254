//! Where sessions can be launched.

use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::AppState;

/// `GET /api/providers`: every platform this server knows, by name; those that are configured with their capabilities, limits and health, the
/// others with what is missing.
pub(crate) async fn list(State(state): State<AppState>) -> Json<Value> {
    let set = state.sessions.providers();
    let configured = set.iter().map(async |(name, provider)| {
        let health = state.readiness.of(name, provider.as_ref()).await;
        let capabilities = provider.info().capabilities;
        json!({
            "name": name,
            "configured": true,
            "default": set.default_names().iter().any(|default| default == name),
            "limits": { "enforced": capabilities.limits, "lifetime": capabilities.lifetime },
            "capabilities": capabilities,
            "health": health,
        })
    });
    let mut providers = join_all(configured).await;
    providers.extend(set.missing().map(
        |(name, missing)| json!({ "name": name, "configured": false, "default": false, "missing": missing }),
    ));
    providers.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    Json(json!({ "total": providers.len(), "default": set.default_names(), "providers": providers }))
}
