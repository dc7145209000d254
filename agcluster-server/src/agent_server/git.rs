//! `/git`: repositories and differences.

use agcluster_core::protocol::workspace::git::{Diff, DiffQuery, Repositories};
use agcluster_core::workspace::Workspace;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::stamped;
use super::whose::{self, Which};
use crate::auth::Caller;
use crate::extract::Query;
use crate::openapi::problems::{AGENT, QUERY, RUNNING, SESSION, problems};
use crate::routes::git::GIT;
use crate::{AppState, Problem};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(repositories)).routes(routes!(diff))
}

problems!(GitProblems in SHAPE => SESSION, QUERY, RUNNING, AGENT, GIT, ["invalid_session_id", "session_id_missing"]);

/// Lists the git repositories in a session's workspace.
#[utoipa::path(
    get, path = "/git/repositories", operation_id = "agent_server_list_repositories", tag = "Agent server",
    security(("key" = [])), params(Which),
    responses((status = 200, description = "The repositories", body = Value), GitProblems),
)]
async fn repositories(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    let workspace = Workspace::of(whose::meant(&state, &caller, &headers, &which)?);
    let found: Repositories = workspace.git().repositories().await?;
    Ok(stamped(&found))
}

/// Compares two commits, or one with the index or the working tree.
#[utoipa::path(
    get, path = "/git/diff", operation_id = "agent_server_get_diff", tag = "Agent server",
    security(("key" = [])),
    params(
        Which,
        ("path" = String, Query, description = "The repository, in the workspace"),
        ("base" = Option<String>, Query, description = "The older side; HEAD when absent"),
        ("head" = Option<String>, Query, description = "The newer side; the working tree when absent"),
        ("staged" = Option<bool>, Query, description = "Whether the newer side is the index"),
        ("context" = Option<u32>, Query, description = "Unchanged lines around a change"),
    ),
    responses((status = 200, description = "The difference", body = Value), GitProblems),
)]
async fn diff(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Query(which): Query<Which>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Value>, Problem> {
    let workspace = Workspace::of(whose::meant(&state, &caller, &headers, &which)?);
    let diff: Diff = workspace.git().diff(&query).await?;
    Ok(stamped(&diff))
}
