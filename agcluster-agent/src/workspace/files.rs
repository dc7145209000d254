//! Files beneath the workspace.
//!
//! Everything goes through one opened folder, [`Access`], and the kernel holds every look-up beneath it: whatever links the agent
//! plants, and however often it changes them meanwhile, nothing outside is read or written. Only regular files are opened.

mod access;
mod alter;
mod archive;
mod changes;
mod range;
mod read;
mod refuse;
#[cfg(test)]
mod tests;
mod tree;
mod unfinished;
mod walk;
mod write;

use agcluster_protocol::workspace::files::{
    ARCHIVE, ArchiveQuery, CHANGES, CONTENT, ChangesQuery, DeleteQuery, Entry, FOLDER, MakeFolder, PathQuery,
    RENAME, Rename, STAT, TREE, Tree, TreeQuery, WriteQuery, Written,
};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::WorkspaceConfig;
use crate::http::{JsonBody, Parameters, Refusal};
use access::{Access, on_disk};
use changes::Watches;

/// The routes of files beneath the workspace's folder. What an earlier run was writing there when it was ended is removed meanwhile.
pub(super) fn routes(config: &WorkspaceConfig) -> Router {
    let (access, closing) = (Access::new(&config.root), config.closing.clone());
    let (begun, watches) = (access.clone(), Watches::new(access.clone(), config));
    tokio::task::spawn_blocking(move || unfinished::clear(&begun, &closing));
    Router::new()
        .route(TREE, get(list))
        .route(STAT, get(stat))
        .route(CONTENT, get(content).put(put).delete(delete))
        .route(FOLDER, post(make_folder))
        .route(RENAME, post(rename))
        .route(ARCHIVE, get(pack))
        .with_state(access)
        .merge(Router::new().route(CHANGES, get(watch)).with_state(watches))
}

async fn list(
    State(access): State<Access>,
    Parameters(query): Parameters<TreeQuery>,
) -> Result<Json<Tree>, Refusal> {
    on_disk(move || tree::list(&access, &query)).await.map(Json)
}

async fn stat(
    State(access): State<Access>,
    Parameters(PathQuery { path }): Parameters<PathQuery>,
) -> Result<Json<Entry>, Refusal> {
    on_disk(move || tree::stat(&access, &path)).await.map(Json)
}

async fn content(
    State(access): State<Access>,
    Parameters(PathQuery { path }): Parameters<PathQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let opened = on_disk(move || read::open(&access, &path)).await?;
    read::respond(opened, &headers).await
}

async fn put(
    State(access): State<Access>,
    Parameters(query): Parameters<WriteQuery>,
    request: Request,
) -> Result<Json<Written>, Refusal> {
    write::write(access, query, request.into_body()).await.map(Json)
}

async fn delete(
    State(access): State<Access>,
    Parameters(query): Parameters<DeleteQuery>,
) -> Result<StatusCode, Refusal> {
    on_disk(move || alter::delete(&access, &query)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn make_folder(
    State(access): State<Access>,
    JsonBody(folder): JsonBody<MakeFolder>,
) -> Result<Json<Written>, Refusal> {
    let created = on_disk(move || alter::make_folder(&access, &folder)).await?;
    Ok(Json(Written { size: 0, created }))
}

async fn rename(
    State(access): State<Access>,
    JsonBody(rename): JsonBody<Rename>,
) -> Result<StatusCode, Refusal> {
    on_disk(move || alter::rename(&access, &rename)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pack(
    State(access): State<Access>,
    Parameters(query): Parameters<ArchiveQuery>,
) -> Result<Response, Refusal> {
    archive::archive(access, query).await
}

async fn watch(
    State(watches): State<Watches>,
    Parameters(query): Parameters<ChangesQuery>,
) -> Result<Response, Refusal> {
    watches.tell(query).await
}
