//! Uploads: several files at once, each passed on as it comes.

mod form;

use agcluster_core::workspace::files::FilePath;
use axum::Json;
use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::at::{At, parameter};
use crate::extract::Query;
use crate::openapi::problems::{FILE, QUERY, RUNNING, SESSION, problems};
use crate::{AppState, Problem, sse};
pub(crate) use form::{Form, Stored};

/// What an upload can come to.
pub(crate) const UPLOAD: &[&str] = &[
    "file_exists",
    "too_large",
    "no_space",
    "unsupported_media_type",
    "too_many_files",
    "file_type_not_allowed",
];

problems!(UploadProblems = SESSION, QUERY, RUNNING, FILE, UPLOAD);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Target {
    /// The folder, from the workspace's root; made when it is not there.
    #[serde(rename = "target_path")]
    _target_path: Option<String>,
    /// Whether files that are there are replaced.
    #[serde(default)]
    #[param(required = false)]
    overwrite: bool,
}

/// The files of an upload. The parts may be called anything: what counts is that each has a file name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what `Form` reads, for the description")]
pub(crate) struct UploadForm {
    #[schema(value_type = Vec<String>, format = Binary)]
    files: Vec<Bytes>,
}

/// What an upload came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Uploaded {
    session_id: String,
    /// The folder in the container.
    target_path: String,
    /// The files by the names they were given, from that folder.
    uploaded: Vec<String>,
    total_files: usize,
    total_size_bytes: u64,
}

/// A line of an upload that is followed file by file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Progress {
    /// A file is stored.
    Stored(Stored),
    /// All of them are.
    Complete(Uploaded),
    /// The upload ended. What was stored before it stays.
    Error { error: Problem },
}

/// How the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Whole,
    Lines,
    Events,
}

/// Stores files in the workspace, as the agent's user.
///
/// `multipart/form-data` with any number of parts that have a file name. A name may have folders in it, which are made; letters that are trouble in shells
/// are replaced. Each file is there as soon as it has come, and stays when a later one is refused. With
/// `Accept: application/x-ndjson` or `text/event-stream` each is told at once.
#[utoipa::path(
    post, path = "/api/files/{id}/upload", operation_id = "upload_files", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Target),
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "The files"),
    responses(
        (status = 200, description = "All files are stored", content(
            (Uploaded = "application/json"), (Progress = "application/x-ndjson"), (Progress = "text/event-stream"),
        )),
        UploadProblems,
    ),
)]
pub(crate) async fn upload(
    State(state): State<AppState>,
    at: At,
    OriginalUri(uri): OriginalUri,
    Query(Target { overwrite, .. }): Query<Target>,
    request: Request,
) -> Result<Response, Problem> {
    let target = parameter(&uri, "target_path").unwrap_or_default();
    let shape = Shape::of(request.headers());
    let form = Form::of(request, at.workspace.clone(), target.clone(), overwrite, &state.file_limits)?;
    let mut upload = Upload { form: Some(form), answer: Uploaded::none(&at, &target) };
    if shape == Shape::Whole {
        while upload.next().await?.is_some() {}
        return Ok(Json(upload.answer).into_response());
    }
    Ok(shape.respond(upload.progress()))
}

/// An upload that is under way.
struct Upload {
    form: Option<Form>,
    answer: Uploaded,
}

impl Upload {
    /// Stores the next file. The detail of a refusal says how many were stored before.
    async fn next(&mut self) -> Result<Option<Stored>, Problem> {
        let Some(form) = &mut self.form else { return Ok(None) };
        let stored = form.next().await.map_err(|mut problem| {
            if self.answer.total_files > 0 {
                problem.detail = format!("{} ({} stored before it)", problem.detail, self.answer.total_files);
            }
            problem
        })?;
        if let Some(stored) = &stored {
            self.answer.uploaded.push(stored.name.clone());
            self.answer.total_files += 1;
            self.answer.total_size_bytes += stored.size_bytes;
        }
        Ok(stored)
    }

    fn progress(self) -> impl Stream<Item = Progress> + Send {
        stream::unfold(self, |mut upload| async move {
            upload.form.as_ref()?;
            let line = match upload.next().await {
                Ok(Some(stored)) => Progress::Stored(stored),
                Ok(None) => {
                    upload.form = None;
                    let Uploaded { session_id, target_path, uploaded, total_files, total_size_bytes } =
                        &mut upload.answer;
                    Progress::Complete(Uploaded {
                        session_id: std::mem::take(session_id),
                        target_path: std::mem::take(target_path),
                        uploaded: std::mem::take(uploaded),
                        total_files: *total_files,
                        total_size_bytes: *total_size_bytes,
                    })
                }
                Err(error) => {
                    upload.form = None;
                    Progress::Error { error }
                }
            };
            Some((line, upload))
        })
    }
}

impl Uploaded {
    fn none(at: &At, target: &FilePath) -> Self {
        let target = target.text();
        Self {
            session_id: at.session().to_owned(),
            target_path: format!("/workspace/{target}").trim_end_matches('/').to_owned(),
            uploaded: Vec::new(),
            total_files: 0,
            total_size_bytes: 0,
        }
    }
}

impl Shape {
    fn of(headers: &HeaderMap) -> Self {
        let accepted =
            headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        match accepted {
            accepted if accepted.contains("application/x-ndjson") => Self::Lines,
            accepted if accepted.contains("text/event-stream") => Self::Events,
            _ => Self::Whole,
        }
    }

    fn respond(self, progress: impl Stream<Item = Progress> + Send + 'static) -> Response {
        use futures::StreamExt;
        let lines = progress.map(|line| serde_json::to_vec(&line).unwrap_or_default());
        if self == Self::Events {
            return sse::response(lines.map(|line| sse::frame(None, &line)));
        }
        let lines = lines.map(|mut line| {
            line.push(b'\n');
            Ok::<_, std::convert::Infallible>(Bytes::from(line))
        });
        let kind = HeaderValue::from_static("application/x-ndjson");
        ([(header::CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response()
    }
}
