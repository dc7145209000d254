//! Event streams: server-sent events from the log, with a sign of life in silence.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;

use crate::log::Follower;

const HEARTBEAT_COMMENT: &[u8] = b": heartbeat\n\n";

/// Gives everything a follower reads, and a comment after each `heartbeat` of silence.
pub(super) fn respond(follower: Follower, heartbeat: Duration) -> Response {
    let frames = stream::unfold(follower, move |mut follower| async move {
        let next = tokio::time::timeout(heartbeat, follower.next()).await;
        let bytes = match next {
            Ok(frames) => frames?,
            Err(_) => Bytes::from_static(HEARTBEAT_COMMENT),
        };
        Some((Ok::<_, Infallible>(bytes), follower))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(frames)).into_response()
}
