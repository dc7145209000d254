//! Events as they stand in the journal.

use std::sync::Arc;

use agcluster_core::journal::{JournalError, Record};
use bytes::Bytes;
use serde_json::json;

use crate::sse::FrameId;
use crate::{Problem, sse};

/// The frame of one record, or of what ended the stream.
pub(crate) fn frame(record: &Result<Arc<Record>, JournalError>) -> Bytes {
    match record {
        Ok(record) => sse::frame(Some(FrameId::Event(record.seq())), &record.json()),
        Err(error) => broken(&error.clone().into()),
    }
}

/// The last event of a stream that cannot go on. It has no id: it is no event of the session's.
pub(crate) fn broken(problem: &Problem) -> Bytes {
    let data = match problem.earliest {
        Some(earliest) => {
            json!({ "type": problem.code, "earliest": earliest, "detail": problem.detail })
        }
        None => json!({ "type": "stream_error", "code": problem.code, "detail": problem.detail }),
    };
    sse::frame(None, data.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_reader_that_fell_behind_is_told_where_to_go_on() {
        let frame = frame(&Err(JournalError::CursorExpired { earliest: 8 }));
        let text = std::str::from_utf8(&frame).unwrap();
        let data: Value = serde_json::from_str(text.strip_prefix("data: ").unwrap().trim_end()).unwrap();
        assert_eq!((&data["type"], &data["earliest"]), (&json!("cursor_expired"), &json!(8)));
        assert!(data["detail"].as_str().unwrap().contains("after=7"), "{data}");
    }
}
