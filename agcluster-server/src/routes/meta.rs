//! What the server is and whether it can work.

use std::time::Duration;

use agcluster_core::provider::Probe;
use agcluster_core::session::Progress;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::problems::problems;
use crate::openapi::schemas::ProbeSchema;
use crate::readiness::Health;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(root)).routes(routes!(health)).routes(routes!(ready))
}

problems!(ReadyProblems = ["not_ready", "store_unavailable"]);

/// How long the store may take to answer.
const STORE: Duration = Duration::from_secs(2);

/// What a server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Root {
    /// Its name.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// `running`.
    status: &'static str,
}

/// A server that lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// `healthy`.
    status: &'static str,
    /// The image of agents whose configuration names none.
    agent_image: String,
}

/// A server on which a launch would work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ready`.
    status: &'static str,
    /// Where it would go.
    provider: String,
    /// What that told of itself.
    #[schema(value_type = ProbeSchema)]
    probe: Probe,
    /// How far the sessions of an earlier run are found again.
    adoption: Adoption,
}

/// How far the sessions of an earlier run are found again.
#[derive(Debug, Serialize, ToSchema)]
struct Adoption {
    /// Sessions that are known from before.
    found: usize,
    /// Those of them of which it is known by now what is true.
    settled: usize,
}

/// What this server is.
#[utoipa::path(
    get, path = "/", operation_id = "get_root", tag = "Server",
    responses((status = 200, description = "Its name and version", body = Root)),
)]
pub(crate) async fn root() -> Json<Root> {
    Json(Root {
        service: "AgCluster Container Runtime",
        version: env!("CARGO_PKG_VERSION"),
        status: "running",
    })
}

/// This process lives. Asks nobody else.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "Server",
    responses((status = 200, description = "It does", body = Alive)),
)]
pub(crate) async fn health(State(state): State<AppState>) -> Json<Alive> {
    Json(Alive { status: "healthy", agent_image: state.defaults.image.clone() })
}

/// A launch would work now. Asks the store, and the default providers in their order until one answers.
#[utoipa::path(
    get, path = "/ready", operation_id = "get_readiness", tag = "Server",
    responses((status = 200, description = "It would", body = Ready), ReadyProblems),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Ready>, Problem> {
    store_works(&state).await?;
    let Progress { found, settled } = *state.sessions.progress().borrow();
    let mut details = Vec::new();
    for (name, provider) in state.sessions.providers().select::<&str>(&[])?.iter() {
        match state.readiness.of(name, provider.as_ref()).await {
            Health::Healthy { probe } => {
                let adoption = Adoption { found, settled };
                return Ok(Json(Ready { status: "ready", provider: name.to_owned(), probe, adoption }));
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
