//! The files in a form, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::{FilePath, WriteQuery};
use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use futures::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::name::{forbidden_type, safe_name};
use crate::Problem;
use crate::routes::files::FileLimits;
use crate::routes::files::feed::{Allowance, store};

/// The most bytes between two files: the head of a part, or fields that are none. The parser holds that much.
const MOST_BETWEEN: u64 = 1 << 20;

/// A file that is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stored {
    /// From the folder that was asked for.
    pub(crate) name: String,
    /// From the workspace's root.
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    /// Whether there was none of that name.
    created: bool,
}

/// A form that is being read.
pub(crate) struct Form {
    multipart: Multipart,
    /// How many bytes may still come before the next file begins.
    between: Arc<AtomicU64>,
    workspace: Workspace,
    target: FilePath,
    overwrite: bool,
    limits: FileLimits,
    allowance: Allowance,
    files: usize,
}

impl Form {
    pub(crate) async fn of(
        request: Request,
        workspace: Workspace,
        target: FilePath,
        overwrite: bool,
        limits: FileLimits,
    ) -> Result<Self, Problem> {
        let between = Arc::new(AtomicU64::new(MOST_BETWEEN));
        let left = Arc::clone(&between);
        let (parts, body) = request.into_parts();
        let metered = body.into_data_stream().map(move |piece| {
            let piece = piece?;
            let bytes = piece.len() as u64;
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)) {
                Ok(_) => Ok(piece),
                Err(_) => Err(axum::Error::new("too much between two files")),
            }
        });
        let request = Request::from_parts(parts, Body::from_stream(metered));
        let multipart = Multipart::from_request(request, &()).await.map_err(|_| {
            let detail = "send the files as multipart/form-data with a boundary";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        })?;
        let allowance = Allowance::of_many(&limits);
        Ok(Self { multipart, between, workspace, target, overwrite, limits, allowance, files: 0 })
    }

    /// Stores the next file; nothing when there is none.
    pub(crate) async fn next(&mut self) -> Result<Option<Stored>, Problem> {
        loop {
            self.between.store(MOST_BETWEEN, Ordering::Relaxed);
            let Some(mut field) = self.multipart.next_field().await.map_err(|error| malformed(&error))?
            else {
                return Ok(None);
            };
            let Some(given) = field.file_name() else { continue };
            let name = safe_name(given)?;
            if let Some(kind) = field.content_type().filter(|kind| forbidden_type(kind)) {
                let detail = format!("{name}: the file type {kind} is not allowed, since it is a program");
                return Err(Problem::bad_request("file_type_not_allowed", detail));
            }
            self.files += 1;
            if self.files > self.limits.upload_files {
                let most = self.limits.upload_files;
                let detail = format!("too many files: at most {most} are taken at once");
                return Err(Problem::bad_request("too_many_files", detail));
            }
            let path = self.target.join(&FilePath::from(name.as_str()));
            let query = WriteQuery { path: path.clone(), overwrite: self.overwrite, parents: true };
            // Within a file, its own limits count.
            self.between.store(u64::MAX, Ordering::Relaxed);
            let written = store(&self.workspace, &query, &mut field, &mut self.allowance).await?;
            return Ok(Some(Stored {
                name,
                path: path.text().into_owned(),
                size_bytes: written.size,
                created: written.created,
            }));
        }
    }
}

fn malformed(error: &MultipartError) -> Problem {
    tracing::debug!(%error, "a form cannot be read");
    Problem::bad_request("invalid_request", "the body is no multipart/form-data, or broke off: send it again")
}
