//! Writing files as they come.

use agcluster_protocol::workspace::INVALID_REQUEST;
use agcluster_protocol::workspace::files::{WriteQuery, Written};
use axum::body::Body;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;

use super::access::{Access, on_disk, relative};
use super::refuse::refusal;
use super::unfinished::Unfinished;
use crate::http::{Refusal, linger};

/// Writes what comes to a file. Until all of it has come, and whenever it breaks off, what was there before stays.
pub(super) async fn write(access: Access, query: WriteQuery, body: Body) -> Result<Written, Refusal> {
    let WriteQuery { path, overwrite, parents } = query;
    let begun = on_disk(move || {
        let path = relative(&path)?;
        Unfinished::begin(&access, path, overwrite, parents)
    });
    let (mut unfinished, file) = match begun.await {
        Ok(begun) => begun,
        Err(refusal) => {
            linger(body);
            return Err(refusal);
        }
    };
    let mut file = tokio::fs::File::from_std(file);
    let mut pieces = body.into_data_stream();
    let mut size = 0;
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else {
            return Err(Refusal::new(INVALID_REQUEST, "the body broke off: send it again"));
        };
        size += piece.len() as u64;
        if let Err(error) = file.write_all(&piece).await {
            linger(Body::from_stream(pieces));
            return Err(refusal(&error, &unfinished.path));
        }
    }
    file.flush().await.map_err(|error| refusal(&error, &unfinished.path))?;
    drop(file);
    on_disk(move || unfinished.finish(overwrite).map(|created| Written { size, created })).await
}
