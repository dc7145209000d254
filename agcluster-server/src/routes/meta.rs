//! What the server is and whether it can work.

use std::time::Duration;

use agcluster_core::session::Progress;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::problems::problems;
use crate::readiness::Health;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(root)).routes(routes!(health)).routes(routes!(ready))
}

problems!(ReadyProblems = ["not_ready", "store_unavailable"]);

/// How long the store may take to answer.
const STORE: Duration = Duration::from_secs(2);

/// What this server is.
#[utoipa::path(
    get, path = "/", operation_id = "get_root", tag = "Server",
    responses((status = 200, description = "Its name and version", body = Value)),
)]
pub(crate) async fn root() -> Json<Value> {
    Json(json!({
        "service": "AgCluster Container Runtime",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "running",
    }))
}

/// This process lives. Asks nobody else.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "Server",
    responses((status = 200, description = "It does", body = Value)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Json<Value> {
    Json(json!({ "status": "healthy", "agent_image": state.defaults.image }))
}

/// A launch would work now. Asks the store, and the default providers in their order until one answers.
#[utoipa::path(
    get, path = "/ready", operation_id = "get_readiness", tag = "Server",
    responses((status = 200, description = "It would", body = Value), ReadyProblems),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    store_works(&state).await?;
    let Progress { found, settled } = *state.sessions.progress().borrow();
    let mut details = Vec::new();
    for (name, provider) in state.sessions.providers().select::<&str>(&[])?.iter() {
        match state.readiness.of(name, provider.as_ref()).await {
            Health::Healthy { probe } => {
                let adoption = json!({ "found": found, "settled": settled });
                let ready =
                    json!({ "status": "ready", "provider": name, "probe": probe, "adoption": adoption });
                return Ok(Json(ready));
            }
            Health::Unhealthy { detail, .. } => details.push(detail),
        }
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", details.join("; ")).retry_after(5))
}

/// Whether what is begun now could be written down.
async fn store_works(state: &AppState) -> Result<(), Problem> {
    let journal = state.sessions.journal();
    let trouble = journal.trouble().borrow().clone();
    let why = match trouble {
        Some(why) => Some(why),
        None => match tokio::time::timeout(STORE, journal.store().meta("cluster")).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some(format!("it did not answer in {} s", STORE.as_secs())),
        },
    };
    why.map_or(Ok(()), |why| {
        let detail = format!("the database does not work: {why}");
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(5))
    })
}
