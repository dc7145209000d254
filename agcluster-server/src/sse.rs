//! Server-sent events: frames that were rendered already, and a comment where there is silence.

use std::convert::Infallible;
use std::fmt::{self, Write};
use std::time::Duration;

use agcluster_core::protocol::workspace::Place;
use agcluster_core::provider::LogPlace;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use serde_json::{Map, Value};
use tokio::time::{Instant, MissedTickBehavior};

use crate::cursor::Cursor;

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
    /// It has been sent up to this place, in a stream that the container keeps.
    At(Place),
    /// It has been sent up to this place, in a log that a platform keeps.
    Log(LogPlace),
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(seq) => seq.fmt(f),
            Self::Part(seq, part) => write!(f, "{seq}.{part}"),
            Self::At(place) => place.fmt(f),
            Self::Log(place) => place.fmt(f),
        }
    }
}

/// The frame of one event: `id` and one line of data. JSON has no raw line breaks, so one line is enough.
pub(crate) fn frame(id: Option<FrameId>, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 32);
    if let Some(id) = id {
        // Writing into a growing buffer does not fail.
        let _ = writeln!(frame, "id: {id}");
    }
    frame.put_slice(b"data: ");
    frame.put_slice(data);
    frame.put_slice(b"\n\n");
    frame.freeze()
}

/// What no client sees as an event, but from then on is the last id that it has.
pub(crate) fn place(id: FrameId) -> Bytes {
    Bytes::from(format!("id: {id}\n\n"))
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

/// The frame of one event that has a name and an id.
pub(crate) fn placed_frame(id: Option<FrameId>, name: &str, data: Value) -> Bytes {
    let named = named_frame(name, data);
    match id {
        None => named,
        Some(id) => [format!("id: {id}\n").as_bytes(), &named].concat().into(),
    }
}

/// The frames of one event, in order. They get their ids when all of them are there.
#[derive(Debug, Default)]
pub(crate) struct Frames(Vec<Bytes>);

impl Frames {
    /// Adds a frame.
    pub(crate) fn data(&mut self, data: &[u8]) {
        self.0.push(frame(None, data));
    }

    /// Adds a frame that has a name, which is also the `type` in its data.
    pub(crate) fn named(&mut self, name: &str, data: Value) {
        self.0.push(named_frame(name, data));
    }

    /// Adds one that is not sent, but counts.
    pub(crate) fn left_out(&mut self) {
        self.0.push(Bytes::new());
    }

    /// Adds those of another.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    /// All of them without ids: nobody can go on behind them.
    pub(crate) fn plain(self) -> Bytes {
        self.0.concat().into()
    }

    /// Those of the event of this number that a client does not have, each with an id of its own, so that one which lost the
    /// last of them gets that one alone. `earlier` frames were counted as the event's before these.
    pub(crate) fn of_event(self, seq: u64, earlier: u8, cursor: Option<Cursor>) -> Bytes {
        let last = self.count().saturating_add(earlier);
        self.numbered(cursor, earlier, |part| {
            if part == last { FrameId::Event(seq) } else { FrameId::Part(seq, part) }
        })
    }

    /// The same for what is told before that event: its first parts.
    pub(crate) fn before_event(self, seq: u64, cursor: Option<Cursor>) -> Bytes {
        self.numbered(cursor, 0, |part| FrameId::Part(seq, part))
    }

    fn numbered(self, cursor: Option<Cursor>, earlier: u8, id: impl Fn(u8) -> FrameId) -> Bytes {
        let mut sent = BytesMut::new();
        for (frame, part) in self.0.into_iter().zip(earlier.saturating_add(1)..=u8::MAX) {
            let id = id(part);
            if !frame.is_empty() && !cursor.is_some_and(|cursor| cursor.has(id)) {
                sent.put_slice(format!("id: {id}\n").as_bytes());
                sent.put(frame);
            }
        }
        sent.freeze()
    }
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
    // One timer for all frames: each puts it off.
    let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio_stream::StreamExt::timeout_repeating(frames, beats)
        .map(|frame| frame.unwrap_or(Bytes::from_static(HEARTBEAT_COMMENT)))
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

    #[test]
    fn every_frame_of_an_event_can_be_gone_on_behind() {
        let three = || {
            let mut frames = Frames::default();
            for data in [b"a", b"b", b"c"] {
                frames.data(data);
            }
            frames
        };
        let ids = |frames: &Bytes| {
            let text = String::from_utf8(frames.to_vec()).unwrap();
            text.lines().filter_map(|line| line.strip_prefix("id: ").map(str::to_owned)).collect::<Vec<_>>()
        };
        let all = ids(&three().of_event(7, 0, None));
        assert_eq!(all, ["7.1", "7.2", "7"]);
        for seen in 0..=3_usize {
            let cursor = seen.checked_sub(1).and_then(|last| Cursor::parse(&all[last]));
            assert_eq!(ids(&three().of_event(7, 0, cursor)), all[seen..], "behind {cursor:?}");
        }
        assert_eq!(ids(&three().before_event(7, Cursor::parse("6"))), ["7.1", "7.2", "7.3"]);
        assert_eq!(ids(&three().of_event(7, 3, Cursor::parse("7.4"))), ["7.5", "7"]);
        let mut left_out = three();
        left_out.left_out();
        assert_eq!(ids(&left_out.of_event(7, 0, None)), ["7.1", "7.2", "7.3"]);
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
