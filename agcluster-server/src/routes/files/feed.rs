//! Passing what a client sends on to the workspace, no more of it than is allowed, and none of it kept.

use std::fmt::Display;
use std::io;

use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::{WriteQuery, Written};
use axum::http::StatusCode;
use bytes::Bytes;
use futures::{Stream, StreamExt, future, stream};
use tokio::sync::mpsc;

use super::FileLimits;
use crate::Problem;

/// Pieces that are on their way.
const QUEUE: usize = 4;

/// What may still be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// For the file.
    file: u64,
    /// For everything that is still to come.
    total: u64,
    limits: FileLimits,
}

impl Allowance {
    /// For one file alone.
    pub(super) fn of_one(limits: &FileLimits) -> Self {
        Self { file: limits.file_bytes, total: u64::MAX, limits: *limits }
    }

    /// For several files.
    pub(super) fn of_many(limits: &FileLimits) -> Self {
        Self { total: limits.upload_bytes, ..Self::of_one(limits) }
    }

    /// Takes so many bytes of it, if there are as many.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Problem> {
        self.file = self.file.checked_sub(bytes).ok_or_else(|| {
            let most = self.limits.file_bytes;
            too_large(format!("the file is too large: at most {most} bytes are taken"))
        })?;
        self.total = self.total.checked_sub(bytes).ok_or_else(|| {
            let most = self.limits.upload_bytes;
            too_large(format!("the total upload size is too large: at most {most} bytes are taken at once"))
        })?;
        Ok(())
    }
}

pub(super) fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

/// Writes what comes to a file. Where it ends too early, or there is too much of it, nothing is written.
pub(super) async fn store<E: Display>(
    workspace: &Workspace,
    query: &WriteQuery,
    pieces: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin + Send),
    allowance: &mut Allowance,
) -> Result<Written, Problem> {
    let (sender, receiver) = mpsc::channel::<Option<Bytes>>(QUEUE);
    // What an earlier file took of its own limit is none of this one's.
    allowance.file = allowance.limits.file_bytes;
    let feeding = async {
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    tracing::debug!(%error, "a body broke off");
                    let detail = "the body broke off, or is not what its header says: send it again";
                    return Err(Problem::bad_request("invalid_request", detail));
                }
            };
            allowance.take(piece.len() as u64)?;
            if sender.send(Some(piece)).await.is_err() {
                // The workspace has answered already.
                return future::pending().await;
            }
        }
        // The file is whole only when this is read: a channel that closes says nothing.
        let _ = sender.send(None).await;
        Ok(())
    };
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece = match receiver.recv().await {
            Some(piece) => Ok(piece?),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        };
        Some((piece, receiver))
    });
    let writing = async { workspace.write(query, body.boxed()).await.map_err(Problem::from) };
    let ((), written) = future::try_join(feeding, writing).await?;
    Ok(written)
}
