//! Git repositories beneath the workspace, through the `git` program.
//!
//! A repository is hostile: what its configuration names is not run when it is only looked at, and nothing of it reaches
//! outside of the workspace. No shell is involved, nothing asks for a password, and no credentials ever come here.

mod branches;
mod commit;
mod diff;
mod discover;
mod log;
mod program;
mod quoting;
mod reference;
mod remote;
mod repository;
mod status;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use agcluster_protocol::workspace::git::{
    BranchRequest, Branches, CloneRequest, Cloned, CommitRequest, Committed, Diff, DiffQuery, Fetched, Log,
    LogQuery, Pushed, Remote, RemoteQuery, Repositories, RepositoryQuery, Status, SyncRequest, routes,
};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::WorkspaceConfig;
use crate::http::{JsonBody, Parameters, Refusal};
use crate::program::ProcessTree;
use program::Git;
use repository::Repo;

#[cfg(feature = "fuzzing")]
pub(crate) use diff::fuzz as fuzz_git_diff;

/// The routes of git.
pub(super) fn routes(config: &WorkspaceConfig, tree: Arc<ProcessTree>) -> Router {
    Router::new()
        .route(routes::REPOSITORIES, get(repositories))
        .route(routes::STATUS, get(status))
        .route(routes::DIFF, get(diff))
        .route(routes::LOG, get(log))
        .route(routes::BRANCHES, get(branches))
        .route(routes::BRANCH, post(branch))
        .route(routes::COMMIT, post(commit))
        .route(routes::REMOTE, post(remote))
        .route(routes::CLONE, post(clone))
        .route(routes::FETCH, post(fetch))
        .route(routes::PULL, post(pull))
        .route(routes::PUSH, post(push))
        .with_state(Service { workspace: config.root.clone().into(), git: Arc::new(Git::new(tree)) })
}

#[derive(Clone)]
struct Service {
    workspace: Arc<PathBuf>,
    git: Arc<Git>,
}

impl Service {
    async fn open(&self, path: &str) -> Result<Repo, Refusal> {
        Repo::open(&self.git, &self.workspace, path).await
    }
}

async fn repositories(State(service): State<Service>) -> Result<Json<Repositories>, Refusal> {
    discover::repositories(service.workspace.clone()).await.map(Json)
}

async fn status(
    State(service): State<Service>,
    Parameters(query): Parameters<RepositoryQuery>,
) -> Result<Json<Status>, Refusal> {
    let repo = service.open(&query.path).await?;
    status::status(&service.git, &repo).await.map(Json)
}

async fn diff(
    State(service): State<Service>,
    Parameters(query): Parameters<DiffQuery>,
) -> Result<Json<Diff>, Refusal> {
    let repo = service.open(&query.path).await?;
    diff::diff(&service.git, repo, query).await.map(Json)
}

async fn log(
    State(service): State<Service>,
    Parameters(query): Parameters<LogQuery>,
) -> Result<Json<Log>, Refusal> {
    let repo = service.open(&query.path).await?;
    log::log(&service.git, &repo, query).await.map(Json)
}

async fn branches(
    State(service): State<Service>,
    Parameters(query): Parameters<RepositoryQuery>,
) -> Result<Json<Branches>, Refusal> {
    let repo = service.open(&query.path).await?;
    branches::list(&service.git, &repo).await.map(Json)
}

async fn branch(
    State(service): State<Service>,
    JsonBody(request): JsonBody<BranchRequest>,
) -> Result<Json<Branches>, Refusal> {
    let repo = service.open(&request.path).await?;
    branches::change(&service.git, &repo, request.action).await?;
    branches::list(&service.git, &repo).await.map(Json)
}

async fn commit(
    State(service): State<Service>,
    JsonBody(request): JsonBody<CommitRequest>,
) -> Result<Json<Committed>, Refusal> {
    let repo = service.open(&request.path).await?;
    commit::commit(&service.git, &repo, request).await.map(Json)
}

async fn remote(
    State(service): State<Service>,
    JsonBody(query): JsonBody<RemoteQuery>,
) -> Result<Json<Remote>, Refusal> {
    let repo = service.open(&query.path).await?;
    remote::remote(&service.git, &repo, &query).await.map(Json)
}

async fn clone(
    State(service): State<Service>,
    JsonBody(request): JsonBody<CloneRequest>,
) -> Result<Json<Cloned>, Refusal> {
    remote::clone(&service.git, &service.workspace, request).await.map(Json)
}

async fn fetch(
    State(service): State<Service>,
    JsonBody(request): JsonBody<SyncRequest>,
) -> Result<Json<Fetched>, Refusal> {
    let repo = service.open(&request.path).await?;
    remote::fetch(&service.git, &repo, &request, false).await.map(Json)
}

async fn pull(
    State(service): State<Service>,
    JsonBody(request): JsonBody<SyncRequest>,
) -> Result<Json<Fetched>, Refusal> {
    let repo = service.open(&request.path).await?;
    remote::fetch(&service.git, &repo, &request, true).await.map(Json)
}

async fn push(
    State(service): State<Service>,
    JsonBody(request): JsonBody<SyncRequest>,
) -> Result<Json<Pushed>, Refusal> {
    let repo = service.open(&request.path).await?;
    remote::push(&service.git, &repo, &request).await.map(Json)
}
