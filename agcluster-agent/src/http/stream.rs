//! Event streams: server-sent events from the log, with a sign of life in silence.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior};

use crate::log::Follower;

const HEARTBEAT_COMMENT: &[u8] = b": heartbeat\n\n";

/// Gives everything a follower reads, and a comment after each `heartbeat` of silence.
pub(super) fn respond(follower: Follower, heartbeat: Duration) -> Response {
    let frames = stream::unfold(follower, async |mut follower| Some((follower.next().await?, follower)));
    // One timer for all frames: each puts it off.
    let mut beats = tokio::time::interval_at(Instant::now() + heartbeat, heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let frames = tokio_stream::StreamExt::timeout_repeating(frames, beats)
        .map(|frames| Ok::<_, Infallible>(frames.unwrap_or(Bytes::from_static(HEARTBEAT_COMMENT))));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(frames)).into_response()
}
