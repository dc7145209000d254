//! The whole API at a glance.

use std::sync::Arc;

use agcluster_core::config::ConfigStore;
use agcluster_core::session::Sessions;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;

use crate::routes::{
    answers, chat, configs, events, jobs, launch, messages, meta, providers, restart, sessions,
};
use crate::{AgentDefaults, Problem, Readiness, serve};

/// The largest request body: a prompt with a few pictures.
const MAX_BODY: usize = 32 << 20;

/// What every handler works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The sessions.
    pub sessions: Sessions,
    /// The agent configurations.
    pub configs: ConfigStore,
    /// What a launch gets where its configuration says nothing.
    pub defaults: Arc<AgentDefaults>,
    /// Whether the providers answer.
    pub readiness: Readiness,
    /// Who may call from a browser.
    pub allowed_origins: Arc<[String]>,
}

/// The API.
pub fn router(state: AppState) -> Router {
    // Each module says its routes and describes them: `/openapi.json` is made from that.
    let (described, _openapi) = OpenApiRouter::<AppState>::new().split_for_parts();
    let routes = described
        .route("/", get(meta::root))
        .route("/health", get(meta::health))
        .route("/ready", get(meta::ready))
        .route("/api/providers", get(providers::list))
        .route("/api/configs", get(configs::list))
        .route("/api/configs/", get(configs::list))
        .route("/api/configs/{id}", get(configs::get))
        .route("/api/agents/launch", post(launch::launch))
        .route("/api/agents/chat", post(chat::chat))
        .route("/api/agents/sessions", get(sessions::list))
        .route("/api/agents/sessions/{id}", get(sessions::get).delete(sessions::delete))
        .route("/api/agents/sessions/{id}/interrupt", post(sessions::interrupt))
        .route("/api/agents/sessions/{id}/answer", post(answers::answer))
        .route("/api/agents/sessions/{id}/settings", post(answers::settings))
        .route("/api/agents/{id}/chat", post(chat::chat_in))
        .route("/api/agents/sessions/{id}/restart", post(restart::restart))
        .route("/api/agents/{id}/events", get(events::stream))
        .route("/api/agents/{id}/messages", get(messages::list))
        .route("/api/agents/{id}/export", get(messages::export))
        .route("/api/jobs", get(jobs::list))
        .route("/api/jobs/{id}", get(jobs::get))
        .route("/api/jobs/{id}/stream", get(jobs::stream))
        .route("/api/jobs/{id}/cancel", post(jobs::cancel))
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "route_not_found", "there is no such route: see README.md")
        })
        .method_not_allowed_fallback(|| async {
            let detail = "this route does not take that method: see the Allow header";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY));
    let origins = Arc::clone(&state.allowed_origins);
    serve::middleware(routes.with_state(state), &origins)
}
