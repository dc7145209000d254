//! Writing, deleting, making folders, renaming.

use agcluster_core::workspace::files::{DeleteQuery, FilePath, MakeFolder, Rename, WriteQuery, Written};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::at::At;
use super::feed::{Allowance, store};
use crate::extract::{Json, Query};
use crate::openapi::problems::{BODY, FILE, QUERY, RUNNING, SESSION, problems};
use crate::{AppState, Problem};

problems!(PutProblems = SESSION, QUERY, RUNNING, FILE, ["file_exists", "too_large", "no_space"]);
problems!(DeleteProblems = SESSION, QUERY, RUNNING, FILE, ["folder_not_empty", "too_many"]);
problems!(FolderProblems = SESSION, BODY, RUNNING, FILE, ["file_exists", "no_space"]);
problems!(RenameProblems = SESSION, BODY, RUNNING, FILE, ["file_exists", "folder_not_empty", "no_space"]);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Whether a file that is there is replaced; it is, unless said otherwise.
    overwrite: Option<bool>,
    /// Whether missing folders are made.
    #[serde(default)]
    #[param(required = false)]
    parents: bool,
}

/// A file that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenFile {
    /// From the workspace's root.
    path: String,
    size_bytes: u64,
    /// Whether there was none.
    created: bool,
}

/// Writes a file: the body becomes its content, all at once when all of it has come.
#[utoipa::path(
    put, path = "/api/files/{id}/{*path}", operation_id = "write_file", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), ("path" = String, Path, description = "The file, from the workspace's root; slashes stand as they are"), How),
    request_body(content = [u8], content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "The file is new", body = WrittenFile),
        (status = 200, description = "The file was replaced", body = WrittenFile),
        PutProblems,
    ),
)]
pub(crate) async fn put(
    State(state): State<AppState>,
    at: At,
    Query(How { overwrite, parents }): Query<How>,
    body: Body,
) -> Result<(StatusCode, axum::Json<WrittenFile>), Problem> {
    let path = at.path.relative();
    let query = WriteQuery { path: path.clone(), overwrite: overwrite.unwrap_or(true), parents };
    let mut allowance = Allowance::of_one(&state.file_limits);
    let mut pieces = body.into_data_stream();
    let Written { size, created } = store(&at.workspace, &query, &mut pieces, &mut allowance).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(WrittenFile { path: path.text().into_owned(), size_bytes: size, created })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whole {
    /// Whether a folder is deleted with what is in it.
    #[serde(default)]
    #[param(required = false)]
    recursive: bool,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// From the workspace's root.
    path: String,
    /// `true`.
    deleted: bool,
}

/// Deletes a file, a folder, or a link itself, never what it leads to.
#[utoipa::path(
    delete, path = "/api/files/{id}/{*path}", operation_id = "delete_file", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), ("path" = String, Path, description = "The file, from the workspace's root; slashes stand as they are"), Whole),
    responses((status = 200, description = "It is gone", body = Deleted), DeleteProblems),
)]
pub(crate) async fn delete(
    at: At,
    Query(Whole { recursive }): Query<Whole>,
) -> Result<axum::Json<Deleted>, Problem> {
    let path = at.path.relative();
    at.workspace.delete(&DeleteQuery { path: path.clone(), recursive }).await?;
    Ok(axum::Json(Deleted { path: path.text().into_owned(), deleted: true }))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewFolder {
    /// The folder, from the workspace's root.
    path: String,
    /// Whether missing folders above are made too, and a folder that is there is success.
    #[serde(default)]
    parents: bool,
}

/// A folder that is there now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeFolder {
    /// From the workspace's root.
    path: String,
    /// Whether there was none.
    created: bool,
}

/// Makes a folder.
#[utoipa::path(
    post, path = "/api/files/{id}/mkdir", operation_id = "make_folder", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = inline(NewFolder),
    responses(
        (status = 201, description = "The folder is new", body = MadeFolder),
        (status = 200, description = "The folder was there", body = MadeFolder),
        FolderProblems,
    ),
)]
pub(crate) async fn make_folder(
    at: At,
    Json(NewFolder { path, parents }): Json<NewFolder>,
) -> Result<(StatusCode, axum::Json<MadeFolder>), Problem> {
    let path = FilePath::from(path).relative();
    let created = at.workspace.make_folder(&MakeFolder { path: path.clone(), parents }).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(MadeFolder { path: path.text().into_owned(), created })))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewName {
    /// What is there, from the workspace's root.
    from: String,
    /// What shall be there instead.
    to: String,
    /// Whether a file that is there already is replaced.
    #[serde(default)]
    overwrite: bool,
}

/// What has another name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Renamed {
    /// What it was, from the workspace's root.
    from: String,
    /// What it is.
    to: String,
}

/// Renames or moves a file, a folder, or a link itself.
#[utoipa::path(
    post, path = "/api/files/{id}/rename", operation_id = "rename_file", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = inline(NewName),
    responses((status = 200, description = "It has the other name", body = Renamed), RenameProblems),
)]
pub(crate) async fn rename(
    at: At,
    Json(NewName { from, to, overwrite }): Json<NewName>,
) -> Result<axum::Json<Renamed>, Problem> {
    let (from, to) = (FilePath::from(from).relative(), FilePath::from(to).relative());
    at.workspace.rename(&Rename { from: from.clone(), to: to.clone(), overwrite }).await?;
    Ok(axum::Json(Renamed { from: from.text().into_owned(), to: to.text().into_owned() }))
}
