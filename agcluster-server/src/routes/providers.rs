//! Where sessions can be launched.

use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists every platform that this server knows.
///
/// First the default ones in their order, then the others that are configured, with capabilities, limits and health; then those that are not, with what
/// is missing.
#[utoipa::path(
    get, path = "/api/providers", operation_id = "list_providers", tag = "Server",
    responses((status = 200, description = "The platforms", body = Value)),
)]
pub(crate) async fn list(State(state): State<AppState>) -> Json<Value> {
    let set = state.sessions.providers();
    let defaults = set.default_names();
    let is_default = |name: &str| defaults.iter().any(|default| default == name);
    let mut all: Vec<_> = set.iter().collect();
    all.sort_by_key(|(name, _)| defaults.iter().position(|default| default == name).unwrap_or(usize::MAX));
    let configured = all.into_iter().map(async |(name, provider)| {
        let health = state.readiness.of(name, provider.as_ref()).await;
        let capabilities = provider.info().capabilities;
        json!({
            "name": name,
            "configured": true,
            "default": is_default(name),
            "limits": { "enforced": capabilities.limits, "lifetime": capabilities.lifetime },
            "capabilities": capabilities,
            "health": health,
        })
    });
    let mut providers = join_all(configured).await;
    providers.extend(set.missing().map(
        |(name, missing)| json!({ "name": name, "configured": false, "default": false, "missing": missing }),
    ));
    Json(json!({ "total": providers.len(), "default": defaults, "providers": providers }))
}
