//! The whole API at a glance.

use std::sync::Arc;

use agcluster_core::config::ConfigCatalog;
use agcluster_core::session::Sessions;
use agcluster_core::workspace::Tickets;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;
use tokio_util::task::TaskTracker;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::compat::reshape;
use crate::openapi::{self, Api};
use crate::routes::{
    answers, approvals, chat, configs, environment, events, exec, files, git, jobs, launch, logs, messages,
    meta, metrics, providers, resources, restart, sessions, terminal, tools,
};
use crate::{
    AgentDefaults, FileLimits, MetricsAccess, Problem, Readiness, agent_server, anthropic, openai, serve,
};

/// The largest request body: a prompt with a few pictures.
pub(crate) const MAX_BODY: usize = 32 << 20;

/// What every handler works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The sessions.
    pub sessions: Sessions,
    /// The agent configurations.
    pub configs: ConfigCatalog,
    /// What a launch gets where its configuration says nothing.
    pub defaults: Arc<AgentDefaults>,
    /// Whether the providers answer.
    pub readiness: Readiness,
    /// Who may read the server's numbers.
    pub metrics: MetricsAccess,
    /// How much may be sent to workspaces and fetched from them at once.
    pub file_limits: FileLimits,
    /// Who may call from a browser.
    pub allowed_origins: Arc<[String]>,
    /// What opens terminals.
    pub tickets: Tickets,
    /// The WebSockets that are open.
    pub sockets: TaskTracker,
}

/// Every route, with its description: see [`openapi`](crate::openapi) for what a new one must say.
pub(crate) fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(meta::routes())
        .merge(openapi::routes())
        .merge(metrics::routes())
        .merge(providers::routes())
        .merge(configs::routes())
        .merge(launch::routes())
        .merge(sessions::routes())
        .merge(restart::routes())
        .merge(answers::routes())
        .merge(approvals::routes())
        .merge(chat::routes())
        .merge(events::routes())
        .merge(messages::routes())
        .merge(git::routes())
        .merge(terminal::routes())
        .merge(exec::routes())
        .merge(environment::routes())
        .merge(resources::routes())
        .merge(logs::routes())
        .merge(tools::routes())
        .merge(jobs::routes())
        .merge(files::routes())
        .merge(openai::routes())
        .merge(anthropic::routes())
        .merge(agent_server::routes())
}

/// The API.
pub fn router(state: AppState) -> Router {
    let routes = axum::Router::from(described())
        // Earlier clients leave the last slash out.
        .route("/api/configs", get(configs::list));
    #[cfg(feature = "docs-ui")]
    let routes = routes.merge(crate::docs_page::routes());
    let routes = routes
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "route_not_found", "there is no such route: see README.md")
        })
        .method_not_allowed_fallback(|| async {
            let detail = "this route does not take that method: see the Allow header";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
        .layer(from_fn(reshape::problems))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    let origins = Arc::clone(&state.allowed_origins);
    serve::middleware(routes.with_state(state), &origins)
}
