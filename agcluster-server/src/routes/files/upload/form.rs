//! The files in a form, one after the other.

use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::{FilePath, WriteQuery};
use agcluster_core::workspace::upload::{UploadError, UploadForm};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Problem;
use crate::routes::files::FileLimits;
use crate::routes::files::feed::{Allowance, store};

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

/// A form whose files are stored as they come.
pub(crate) struct Form {
    form: UploadForm,
    workspace: Workspace,
    target: FilePath,
    overwrite: bool,
    allowance: Allowance,
}

impl Form {
    pub(crate) fn of(
        request: Request,
        workspace: Workspace,
        target: FilePath,
        overwrite: bool,
        limits: &FileLimits,
    ) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let form = UploadForm::new(kind.unwrap_or_default(), body.into_data_stream(), limits.upload_files)?;
        Ok(Self { form, workspace, target, overwrite, allowance: Allowance::of_many(limits) })
    }

    /// Stores the next file; nothing when there is none.
    pub(crate) async fn next(&mut self) -> Result<Option<Stored>, Problem> {
        let Some(mut file) = self.form.next().await? else { return Ok(None) };
        let name = file.name().to_owned();
        let path = self.target.join(&FilePath::from(name.as_str()));
        let query = WriteQuery { path: path.clone(), overwrite: self.overwrite, parents: true };
        let written = store(&self.workspace, &query, &mut file, &mut self.allowance).await?;
        Ok(Some(Stored {
            name,
            path: path.text().into_owned(),
            size_bytes: written.size,
            created: written.created,
        }))
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let (status, code) = match error {
            UploadError::NoForm => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            UploadError::Program { .. } => (StatusCode::BAD_REQUEST, "file_type_not_allowed"),
            UploadError::TooMany { .. } => (StatusCode::BAD_REQUEST, "too_many_files"),
            _ => (StatusCode::BAD_REQUEST, "invalid_request"),
        };
        Self::new(status, code, error.to_string())
    }
}
