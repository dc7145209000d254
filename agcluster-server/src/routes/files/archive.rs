//! The workspace, or a folder of it, as one file.

use agcluster_core::workspace::files::{ArchiveFormat, ArchiveQuery, FilePath};
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::at::{At, parameter};
use super::bytes::{attachment, harmless};
use super::preview;
use crate::extract::Query;
use crate::openapi::problems::{FILE, QUERY, RUNNING, SESSION, problems};
use crate::{AppState, Problem};

problems!(ArchiveProblems = SESSION, QUERY, RUNNING, FILE, ["too_large", "too_many"]);
problems!(NamedProblems = SESSION, QUERY, RUNNING, FILE, ["too_large", "too_many", "range_not_satisfiable"]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
enum Format {
    #[serde(rename = "zip")]
    Zip,
    #[serde(rename = "tar.zst")]
    TarZst,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Packed {
    /// The folder, from the workspace's root.
    #[serde(rename = "path")]
    _path: Option<String>,
    /// As what; `zip` unless said otherwise.
    #[param(inline)]
    format: Option<Format>,
}

/// Downloads the workspace, or a folder of it, as an archive that is made while it is sent.
///
/// Links are stored as links; devices, pipes and sockets are left out. An archive that is too large is refused beforehand.
#[utoipa::path(
    post, path = "/api/files/{id}/download", operation_id = "download_archive", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Packed),
    responses(
        (status = 200, description = "The archive", content(
            ([u8] = "application/zip"), ([u8] = "application/zstd"),
        )),
        ArchiveProblems,
    ),
)]
pub(crate) async fn download(
    State(state): State<AppState>,
    at: At,
    OriginalUri(uri): OriginalUri,
    Query(Packed { format, .. }): Query<Packed>,
) -> Result<Response, Problem> {
    let folder = parameter(&uri, "path").unwrap_or_default();
    pack(&state, &at, folder, format.unwrap_or(Format::Zip)).await
}

/// The same by `GET`, when `format` is given.
///
/// Without it, this is the file called `download`.
#[utoipa::path(
    get, path = "/api/files/{id}/download", operation_id = "get_archive", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Packed),
    responses(
        (status = 200, description = "The archive, or the file", content(
            ([u8] = "application/zip"), ([u8] = "application/zstd"), (preview::Preview = "application/json"),
        )),
        (status = 206, description = "The range of the file", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "The file is the one that the caller has"),
        NamedProblems,
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    at: At,
    OriginalUri(uri): OriginalUri,
    Query(Packed { format, .. }): Query<Packed>,
    Query(raw): Query<preview::Raw>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match format {
        Some(format) => pack(&state, &at, parameter(&uri, "path").unwrap_or_default(), format).await,
        None => preview::get(at, Query(raw), headers).await,
    }
}

async fn pack(state: &AppState, at: &At, path: FilePath, format: Format) -> Result<Response, Problem> {
    let (format, ending, kind) = match format {
        Format::Zip => (ArchiveFormat::Zip, "zip", "application/zip"),
        Format::TarZst => (ArchiveFormat::TarZst, "tar.zst", "application/zstd"),
    };
    let limits = &state.file_limits;
    let query =
        ArchiveQuery { path, format, max_bytes: limits.archive_bytes, max_entries: limits.archive_entries };
    let pieces = at.workspace.archive(&query).await?;
    let name = FilePath::from(format!("workspace_{}.{ending}", at.session()));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, attachment(&name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    let mut response = (headers, Body::from_stream(pieces)).into_response();
    harmless(&mut response);
    Ok(response)
}
