//! Server-sent events: frames that were rendered already, and a comment where there is silence.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use serde_json::{Map, Value};

/// After so much silence a comment is sent, so that no proxy takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
const HEARTBEAT_COMMENT: &[u8] = b": heartbeat\n\n";

/// The id of a frame: behind it a client may begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameId {
    /// The whole event of this number has been sent.
    Event(u64),
    /// So many frames of it have.
    Part(u64, u8),
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(seq) => seq.fmt(f),
            Self::Part(seq, part) => write!(f, "{seq}.{part}"),
        }
    }
}

/// The frame of one event: `id` and one line of data. JSON has no raw line breaks, so one line is enough.
pub(crate) fn frame(id: Option<FrameId>, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 32);
    if let Some(id) = id {
        frame.put_slice(format!("id: {id}\n").as_bytes());
    }
    frame.put_slice(b"data: ");
    frame.put_slice(data);
    frame.put_slice(b"\n\n");
    frame.freeze()
}

/// The frame of one event that has a name, which is also the `type` in its data.
pub(crate) fn named_frame(name: &str, data: Value) -> Bytes {
    let mut named = Map::new();
    named.insert("type".to_owned(), name.into());
    if let Value::Object(fields) = data {
        named.extend(fields);
    }
    let data = Value::Object(named).to_string();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// A response that streams frames.
pub(crate) fn response(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(with_heartbeat(frames).map(Ok::<_, Infallible>));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

fn with_heartbeat(frames: impl Stream<Item = Bytes> + Send + 'static) -> impl Stream<Item = Bytes> + Send {
    futures::stream::unfold(frames.boxed(), |mut frames| async move {
        match tokio::time::timeout(HEARTBEAT, frames.next()).await {
            Ok(frame) => Some((frame?, frames)),
            Err(_) => Some((Bytes::from_static(HEARTBEAT_COMMENT), frames)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_id_and_data() {
        assert_eq!(frame(Some(FrameId::Event(7)), b"{}"), "id: 7\ndata: {}\n\n");
        assert_eq!(frame(Some(FrameId::Part(7, 1)), b"{}"), "id: 7.1\ndata: {}\n\n");
        assert_eq!(frame(None, b"[DONE]"), "data: [DONE]\n\n");
        let ping = named_frame("ping", serde_json::json!({ "n": 1 }));
        assert_eq!(ping, "event: ping\ndata: {\"type\":\"ping\",\"n\":1}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments_and_loses_nothing() {
        let late = futures::stream::once(async {
            tokio::time::sleep(HEARTBEAT * 2 + Duration::from_secs(1)).await;
            frame(Some(FrameId::Event(1)), b"x")
        });
        let frames: Vec<Bytes> = with_heartbeat(late).collect().await;
        assert_eq!(frames, [HEARTBEAT_COMMENT, HEARTBEAT_COMMENT, &b"id: 1\ndata: x\n\n"[..]]);
    }
}
