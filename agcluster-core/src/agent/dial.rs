//! Requests over a connection that is no TCP connection of ours: a Unix socket, or one that a provider dialled.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{AgentError, Result};
use crate::provider::{Dial, Io};

/// Dials a Unix socket.
pub(super) struct UnixDial(pub(super) PathBuf);

#[async_trait]
impl Dial for UnixDial {
    async fn dial(&self) -> std::io::Result<Box<dyn Io>> {
        Ok(Box::new(UnixStream::connect(&self.0).await?))
    }
}

/// Sends one request on a connection of its own. The connection ends with the response body.
pub(super) async fn send(
    dial: &Arc<dyn Dial>,
    request: Request<UnsyncBoxBody<Bytes, std::io::Error>>,
) -> Result<Response<Incoming>> {
    let io = dial.dial().await.map_err(|error| AgentError::Unreachable(error.into()))?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| AgentError::Unreachable(error.into()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an agent server broke");
        }
    });
    sender.send_request(request).await.map_err(|error| AgentError::Unreachable(error.into()))
}
