//! Answers that stream: a line of JSON for each thing that happens, and one that says nothing where there is silence.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::Serialize;

/// After so much silence a line is sent, so that nobody on the way takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Streams frames; `alive` is what is sent where there is silence.
pub(super) fn respond<T>(frames: impl Stream<Item = T> + Send + 'static, alive: T) -> Response
where
    T: Serialize + Send + Sync + 'static,
{
    let lines = stream::unfold((frames.boxed(), alive), |(mut frames, alive)| async move {
        let line = match tokio::time::timeout(HEARTBEAT, frames.next()).await {
            Ok(frame) => line(&frame?),
            Err(_) => line(&alive),
        };
        Some((Ok::<_, Infallible>(line), (frames, alive)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(lines)).into_response()
}

fn line(frame: &impl Serialize) -> Bytes {
    // Frames are plain data, which can always be written.
    let mut line = serde_json::to_vec(frame).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
