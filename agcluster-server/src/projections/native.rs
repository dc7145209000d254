//! Events as they stand in the journal.

use std::sync::Arc;

use agcluster_core::journal::{JournalError, Record};
use bytes::Bytes;

use crate::{Problem, sse};

/// The frame of one record, or of what ended the stream.
pub(crate) fn frame(record: &Result<Arc<Record>, JournalError>) -> Bytes {
    match record {
        Ok(record) => sse::frame(Some(record.seq()), &record.json()),
        Err(error) => {
            let problem = Problem::from(error.clone());
            let body = serde_json::json!({ "type": "stream_error", "code": problem.code, "detail": problem.detail, "earliest": problem.earliest });
            sse::frame(None, body.to_string().as_bytes())
        }
    }
}
