//! `/git`: repositories and differences.

use agcluster_core::protocol::workspace::git::{Diff, DiffQuery, Repositories};
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::whose::{Meant, Which};
use super::{Stamped, stamped};
use crate::extract::Query;
use crate::openapi::problems::{AGENT, QUERY, RUNNING, SESSION, problems};
use crate::openapi::schemas::git as schemas;
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
    responses((status = 200, description = "The repositories", body = Stamped<schemas::RepositoriesSchema>), GitProblems),
)]
async fn repositories(meant: Meant) -> Result<Json<Stamped<Repositories>>, Problem> {
    Ok(stamped(meant.workspace().git().repositories().await?))
}

/// Compares two commits, or one with the index or the working tree.
#[utoipa::path(
    get, path = "/git/diff", operation_id = "agent_server_get_diff", tag = "Agent server",
    security(("key" = [])),
    params(
        Which,
        ("path" = Option<String>, Query, description = "The repository, in the workspace; the workspace itself when absent"),
        ("base" = Option<String>, Query, description = "The older side; HEAD when absent"),
        ("head" = Option<String>, Query, description = "The newer side; the working tree when absent"),
        ("staged" = Option<bool>, Query, description = "Whether the newer side is the index"),
        ("context" = Option<u32>, Query, description = "Unchanged lines around a change"),
    ),
    responses((status = 200, description = "The difference", body = Stamped<schemas::DiffSchema>), GitProblems),
)]
async fn diff(meant: Meant, Query(query): Query<DiffQuery>) -> Result<Json<Stamped<Diff>>, Problem> {
    Ok(stamped(meant.workspace().git().diff(&query).await?))
}
