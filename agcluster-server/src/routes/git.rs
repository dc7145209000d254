//! Git repositories in a session's workspace.

use agcluster_core::protocol::workspace::git::{
    BranchRequest, Branches, CloneRequest, Cloned, CommitRequest, Committed, Diff, DiffQuery, Fetched, Log,
    LogQuery, Pushed, Repositories, RepositoryQuery, Status, SyncRequest,
};
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::OwnWorkspace;
use crate::extract::{self, Query};
use crate::openapi::problems::{AGENT, BODY, QUERY, RUNNING, SESSION, problems};
use crate::openapi::schemas::git as schemas;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(repositories))
        .routes(routes!(status))
        .routes(routes!(diff))
        .routes(routes!(log))
        .routes(routes!(branches))
        .routes(routes!(branch))
        .routes(routes!(commit))
        .routes(routes!(clone))
        .routes(routes!(fetch))
        .routes(routes!(pull))
        .routes(routes!(push))
}

/// What every command of git's can come to.
pub(crate) const GIT: &[&str] = &[
    "invalid_path",
    "invalid_request",
    "file_not_found",
    "wrong_file_type",
    "forbidden",
    "too_large",
    "git_not_a_repository",
    "git_ref_not_found",
    "git_ref_invalid",
    "git_failed",
    "git_timeout",
    "git_missing",
];

/// What a command comes to that goes to a repository elsewhere.
pub(super) const REMOTE: &[&str] = &[
    "invalid_path",
    "forbidden",
    "file_exists",
    "no_space",
    "git_ref_not_found",
    "git_ref_invalid",
    "git_url_invalid",
    "git_auth_failed",
    "git_repo_not_found",
    "git_unreachable",
    "git_failed",
    "git_timeout",
    "git_missing",
];

problems!(LookProblems = SESSION, QUERY, RUNNING, AGENT, GIT);
problems!(
    ChangeProblems = SESSION,
    BODY,
    RUNNING,
    AGENT,
    GIT,
    ["git_branch_exists", "git_nothing_to_commit", "git_conflict", "no_space"],
);

problems!(RemoteProblems = SESSION, BODY, RUNNING, AGENT, GIT, REMOTE, ["git_conflict", "git_rejected"],);

/// Lists the git repositories in the workspace, at most 200, worktrees and submodules among them.
#[utoipa::path(
    get, path = "/api/agents/{id}/git/repositories", operation_id = "list_repositories", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
    ),
    responses((status = 200, description = "The repositories", body = schemas::RepositoriesSchema), LookProblems),
)]
pub(crate) async fn repositories(
    OwnWorkspace(workspace): OwnWorkspace,
) -> Result<Json<Repositories>, Problem> {
    Ok(Json(workspace.git().repositories().await?))
}

/// Tells what differs between the last commit, the index and the working tree.
#[utoipa::path(
    get, path = "/api/agents/{id}/git/status", operation_id = "get_git_status", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("path" = Option<String>, Query, description = "A folder in the repository, below the workspace; the workspace itself when absent"),
    ),
    responses((status = 200, description = "What differs", body = schemas::StatusSchema), LookProblems),
)]
pub(crate) async fn status(
    OwnWorkspace(workspace): OwnWorkspace,
    Query(query): Query<RepositoryQuery>,
) -> Result<Json<Status>, Problem> {
    Ok(Json(workspace.git().status(&query).await?))
}

/// Compares two commits, or one with the index or the working tree, whose new files are added at the end.
#[utoipa::path(
    get, path = "/api/agents/{id}/git/diff", operation_id = "get_git_diff", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("path" = Option<String>, Query, description = "A folder in the repository, below the workspace; the workspace itself when absent"),
        ("base" = Option<String>, Query, description = "The older side: a branch, tag or commit; HEAD when absent"),
        ("head" = Option<String>, Query, description = "The newer side; the working tree when absent"),
        ("staged" = Option<bool>, Query, description = "Whether the newer side is the index"),
        ("context" = Option<u32>, Query, description = "Unchanged lines around a change, 0 to 1000; 3 when absent"),
        ("file" = Option<String>, Query, description = "Only what is at or below this path in the repository"),
    ),
    responses((status = 200, description = "The difference", body = schemas::DiffSchema), LookProblems),
)]
pub(crate) async fn diff(
    OwnWorkspace(workspace): OwnWorkspace,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Diff>, Problem> {
    Ok(Json(workspace.git().diff(&query).await?))
}

/// Lists commits, newest first.
#[utoipa::path(
    get, path = "/api/agents/{id}/git/log", operation_id = "get_git_log", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("path" = Option<String>, Query, description = "A folder in the repository, below the workspace; the workspace itself when absent"),
        ("ref" = Option<String>, Query, description = "Where to begin: a branch, tag or commit; HEAD when absent"),
        ("file" = Option<String>, Query, description = "Only commits that touch this path in the repository"),
        ("limit" = Option<usize>, Query, description = "The most commits, 1 to 200; 50 when absent"),
        ("after" = Option<String>, Query, description = "What the page before gave as `next`"),
    ),
    responses((status = 200, description = "A page of commits", body = schemas::LogSchema), LookProblems),
)]
pub(crate) async fn log(
    OwnWorkspace(workspace): OwnWorkspace,
    Query(query): Query<LogQuery>,
) -> Result<Json<Log>, Problem> {
    Ok(Json(workspace.git().log(&query).await?))
}

/// Lists branches, local ones and those of remotes.
#[utoipa::path(
    get, path = "/api/agents/{id}/git/branches", operation_id = "list_branches", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("path" = Option<String>, Query, description = "A folder in the repository, below the workspace; the workspace itself when absent"),
    ),
    responses((status = 200, description = "The branches", body = schemas::BranchesSchema), LookProblems),
)]
pub(crate) async fn branches(
    OwnWorkspace(workspace): OwnWorkspace,
    Query(query): Query<RepositoryQuery>,
) -> Result<Json<Branches>, Problem> {
    Ok(Json(workspace.git().branches(&query).await?))
}

/// Makes, switches to, or deletes a branch: `action` is `create`, `switch` or `delete`.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/branch", operation_id = "change_branch", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
    ),
    request_body = schemas::BranchRequestSchema,
    responses((status = 200, description = "The branches there are then", body = schemas::BranchesSchema), ChangeProblems),
)]
pub(crate) async fn branch(
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<BranchRequest>,
) -> Result<Json<Branches>, Problem> {
    Ok(Json(workspace.git().branch(&request).await?))
}

/// Commits everything (`all`), some `paths`, or what is in the index.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/commit", operation_id = "make_commit", tag = "Git",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
    ),
    request_body = schemas::CommitRequestSchema,
    responses((status = 200, description = "The commit", body = schemas::CommittedSchema), ChangeProblems),
)]
pub(crate) async fn commit(
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<CommitRequest>,
) -> Result<Json<Committed>, Problem> {
    Ok(Json(workspace.git().commit(&request).await?))
}

/// A request as a client may make it.
fn own_clone(state: &AppState, request: CloneRequest) -> CloneRequest {
    CloneRequest { adopt: false, through: None, plain_http: state.defaults.git_plain_http, ..request }
}

/// A request as a client may make it.
fn own_sync(state: &AppState, request: SyncRequest) -> SyncRequest {
    SyncRequest { through: None, plain_http: state.defaults.git_plain_http, ..request }
}

/// Clones a repository from an `https://` URL; `credentials` do not reach the container's disk, environment or processes.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/clone", operation_id = "clone_repository", tag = "Git",
    security(("key" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = schemas::CloneRequestSchema,
    responses((status = 200, description = "Where it is", body = schemas::ClonedSchema), RemoteProblems),
)]
pub(crate) async fn clone(
    State(state): State<AppState>,
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<CloneRequest>,
) -> Result<Json<Cloned>, Problem> {
    let request = own_clone(&state, request);
    Ok(Json(workspace.git().clone_repository(&request).await?))
}

/// Fetches what a remote has; `credentials` go with the `url` that they are for.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/fetch", operation_id = "fetch_repository", tag = "Git",
    security(("key" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = schemas::SyncRequestSchema,
    responses((status = 200, description = "The present branch and what it follows", body = schemas::FetchedSchema), RemoteProblems),
)]
pub(crate) async fn fetch(
    State(state): State<AppState>,
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<SyncRequest>,
) -> Result<Json<Fetched>, Problem> {
    let request = own_sync(&state, request);
    Ok(Json(workspace.git().fetch(&request).await?))
}

/// Fetches, and moves the present branch to the one it follows when nothing of its own is in the way.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/pull", operation_id = "pull_branch", tag = "Git",
    security(("key" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = schemas::SyncRequestSchema,
    responses((status = 200, description = "The present branch and what it follows", body = schemas::FetchedSchema), RemoteProblems),
)]
pub(crate) async fn pull(
    State(state): State<AppState>,
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<SyncRequest>,
) -> Result<Json<Fetched>, Problem> {
    let request = own_sync(&state, request);
    Ok(Json(workspace.git().pull(&request).await?))
}

/// Pushes a branch to the remote's branch of the same name.
#[utoipa::path(
    post, path = "/api/agents/{id}/git/push", operation_id = "push_branch", tag = "Git",
    security(("key" = [])),
    params(("id" = String, Path, description = "The session")),
    request_body = schemas::SyncRequestSchema,
    responses((status = 200, description = "The branch and its commit", body = schemas::PushedSchema), RemoteProblems),
)]
pub(crate) async fn push(
    State(state): State<AppState>,
    OwnWorkspace(workspace): OwnWorkspace,
    extract::Json(request): extract::Json<SyncRequest>,
) -> Result<Json<Pushed>, Problem> {
    let request = own_sync(&state, request);
    Ok(Json(workspace.git().push(&request).await?))
}
