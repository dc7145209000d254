//! An event as a server-sent-event frame: `id: 7`, `data: {…}`, an empty line.

use std::io::Write;

use agcluster_protocol::Event;
use bytes::Bytes;

/// Ends every frame, and is nowhere inside one: JSON has no line ends of its own.
const END: &[u8] = b"\n\n";

/// What most frames fit in while they are written; kept, each is as long as it is.
const DRAFT: usize = 512;

pub(super) fn render(event: &Event) -> Bytes {
    let mut frame = Vec::with_capacity(DRAFT);
    // Writing to a vector does not fail, and neither do the types of an event: their map keys are strings.
    let written = write!(frame, "id: {}\ndata: ", event.seq).is_ok()
        && serde_json::to_writer(&mut frame, event).is_ok();
    debug_assert!(written, "an event that cannot be rendered");
    frame.extend_from_slice(END);
    Bytes::copy_from_slice(&frame)
}

/// Cuts the first `count` frames off a run of frames.
pub(super) fn skip(frames: &mut Bytes, count: u64) {
    for _ in 0..count {
        let Some(at) = frames.windows(END.len()).position(|window| window == END) else {
            frames.clear();
            return;
        };
        let _ = frames.split_to(at + END.len());
    }
}

/// How many frames a run of frames has.
pub(super) fn count(frames: &[u8]) -> u64 {
    frames.windows(END.len()).filter(|window| *window == END).count() as u64
}

/// The event in a frame.
#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "what this log has rendered is an event")]
pub(super) fn parse(frame: &[u8]) -> Event {
    let text = std::str::from_utf8(frame).unwrap();
    let (_, data) = text.split_once("data: ").unwrap();
    serde_json::from_str(data).unwrap()
}
