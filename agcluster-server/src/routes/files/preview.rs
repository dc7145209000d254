//! One file: as text with what an editor wants to know, as a picture, or as it is.

use agcluster_core::workspace::files::{Content, FilePath};
use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::at::At;
use super::bytes::{self, Shown};
use super::names::{content_type, image_type, language};
use crate::Problem;
use crate::extract::Query;
use crate::openapi::problems::{FILE, QUERY, RUNNING, SESSION, problems};

/// How much of a text is shown.
const MOST_TEXT: usize = 2 << 20;
/// The end of a path that asks for the file before it.
const DOWNLOAD: &[u8] = b"/download";

problems!(GetProblems = SESSION, QUERY, RUNNING, FILE, ["range_not_satisfiable"]);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Raw {
    /// Whether the bytes are wanted as they are.
    #[serde(default)]
    #[param(required = false)]
    raw: bool,
}

/// What is shown of a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Preview {
    /// Text.
    Text {
        path: String,
        content: String,
        language: &'static str,
        /// Bytes of the whole file.
        size_bytes: u64,
        /// Lines of what is shown.
        lines: usize,
        /// Whether there is more of it.
        truncated: bool,
    },
    /// Something else.
    Binary {
        r#type: &'static str,
        name: String,
        path: String,
        size: u64,
        content_type: &'static str,
        message: &'static str,
        download_url: String,
    },
}

/// A file: a preview, or its bytes.
///
/// Text comes as JSON with its language, at most 2 MiB of it. Pictures, and anything with `raw=true` or a `Range`, come as
/// bytes: 206 for a range, 304 for an `If-None-Match` that still holds. `…/{path}/download` is the same file, to be stored. No answer is of a type that a browser
/// would run.
#[utoipa::path(
    get, path = "/api/files/{id}/{*path}", operation_id = "get_file", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), ("path" = String, Path, description = "The file, from the workspace's root; slashes stand as they are"), Raw),
    responses(
        (status = 200, description = "The preview; the bytes of a picture, and with `raw` of any file", content(
            (Preview = "application/json"), (Vec<u8> = "application/octet-stream"), (Vec<u8> = "image/*"),
        )),
        (status = 206, description = "The range", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "The file is the one that the caller has"),
        GetProblems,
    ),
)]
pub(crate) async fn get(
    at: At,
    Query(Raw { raw }): Query<Raw>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(file) = at.path.as_bytes().strip_suffix(DOWNLOAD) {
        let file = FilePath::from_bytes(file);
        match bytes::respond(&at.workspace, &file, &headers, Shown::Attached).await {
            // In a folder, it is a file that is called so.
            Err(problem) if problem.code == "wrong_file_type" => {}
            answer => return answer,
        }
    }
    if raw || headers.contains_key(header::RANGE) || image_type(&at.path).is_some() {
        return bytes::respond(&at.workspace, &at.path, &headers, Shown::Inline).await;
    }
    let content = at.workspace.read(&at.path, &HeaderMap::new()).await?;
    let mut response = Json(preview(&at, content).await?).into_response();
    bytes::harmless(&mut response);
    Ok(response)
}

async fn preview(at: &At, content: Content) -> Result<Preview, Problem> {
    let Content { size, mut bytes, .. } = content;
    let mut shown = Vec::new();
    while let Some(piece) = bytes.next().await {
        shown.extend_from_slice(&piece?);
        if shown.len() > MOST_TEXT {
            shown.truncate(MOST_TEXT);
            break;
        }
    }
    let truncated = (shown.len() as u64) < size;
    let path = at.path.relative();
    match text(shown, truncated) {
        Some(content) => Ok(Preview::Text {
            lines: content.split('\n').count(),
            content,
            language: language(&path),
            size_bytes: size,
            truncated,
            path: path.text().into_owned(),
        }),
        None => Ok(Preview::Binary {
            r#type: "binary",
            name: path.name().text().into_owned(),
            size,
            content_type: content_type(&path),
            message: "This is a binary file and cannot be previewed as text.",
            download_url: format!("/api/files/{}/{}?raw=true", at.session(), path.to_url()),
            path: path.text().into_owned(),
        }),
    }
}

/// The text, if it is one. Where it was cut off, the letter that was cut through is left out.
fn text(mut bytes: Vec<u8>, truncated: bool) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    if let (true, Err(error)) = (truncated, std::str::from_utf8(&bytes))
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_was_cut_through_is_left_out() {
        assert_eq!(text("aé".into(), false).as_deref(), Some("aé"));
        assert_eq!(text(b"a\xc3".to_vec(), true).as_deref(), Some("a"));
        assert_eq!(text(b"a\xc3".to_vec(), false), None);
        assert_eq!(text(b"a\xff\xff".to_vec(), true), None);
        assert_eq!(text(b"a\0b".to_vec(), false), None);
    }
}
