//! `/sessions/filesystem/upload`.

use agcluster_core::workspace::files::FilePath;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::whose::{Meant, Which};
use super::{Stamped, stamped};
use crate::extract::Query;
use crate::openapi::problems::{FILE, QUERY, RUNNING, SESSION, problems};
use crate::routes::files::linger;
use crate::routes::files::upload::{Form, UPLOAD, UploadForm};
use crate::{AppState, Problem};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(upload)).layer(axum::middleware::from_fn(linger))
}

problems!(UploadProblems in SHAPE => SESSION, QUERY, RUNNING, FILE, UPLOAD, ["invalid_session_id", "session_id_missing"]);

/// Where files go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Target {
    /// The folder; the workspace itself when absent.
    #[serde(default)]
    #[param(required = false)]
    target_path: String,
}

/// What an upload came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerUploaded)]
struct Uploaded {
    /// The folder in the container.
    path: String,
    uploaded_count: usize,
    /// None is skipped here.
    skipped_count: usize,
    files: Vec<UploadedFile>,
}

/// A file that is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentServerUploadedFile)]
struct UploadedFile {
    /// In the container.
    path: String,
    bytes: u64,
}

/// Stores the files of a form in a workspace, in place of what is there. A file's name may have folders in it.
#[utoipa::path(
    post, path = "/sessions/filesystem/upload", operation_id = "agent_server_upload_files", tag = "Agent server",
    security(("key" = [])), params(Which, Target),
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The files"),
    responses((status = 201, description = "What was stored", body = Stamped<Uploaded>), UploadProblems),
)]
async fn upload(
    State(state): State<AppState>,
    meant: Meant,
    Query(Target { target_path }): Query<Target>,
    request: Request,
) -> Result<(StatusCode, Json<Stamped<Uploaded>>), Problem> {
    let folder = target_path.strip_prefix("/workspace").unwrap_or(&target_path);
    let folder = FilePath::from(folder).relative();
    let mut form = Form::of(request, meant.workspace(), folder.clone(), true, &state.file_limits)?;
    let mut files = Vec::new();
    while let Some(stored) = form.next().await? {
        files.push(UploadedFile { path: format!("/workspace/{}", stored.path), bytes: stored.size_bytes });
    }
    let answer = Uploaded {
        path: format!("/workspace/{}", folder.text()).trim_end_matches('/').to_owned(),
        uploaded_count: files.len(),
        skipped_count: 0,
        files,
    };
    Ok((StatusCode::CREATED, stamped(answer)))
}
