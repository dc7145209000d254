//! Entrances for the fuzzer: each takes any bytes, and panics when something that must hold does not.
#![allow(clippy::expect_used, clippy::panic, reason = "a fuzzer is told by a panic")]

use tokio::runtime::{Builder, Runtime};

use crate::agent::fuzz_event_stream;
use crate::config::AgentConfig;
use crate::workspace::upload::fuzz as fuzz_multipart;

/// Reads an event stream that arrives in pieces of the length that the first byte says.
pub fn event_stream(data: &[u8]) {
    fuzz_event_stream(data);
}

/// Reads a configuration. One that is taken is taken again as it is written, and to no other effect.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match AgentConfig::from_yaml(text) {
        Ok(read) => {
            let document = serde_json::to_value(&read.config).expect("a configuration can be written");
            let again = AgentConfig::from_json(document).expect("what was written is taken again");
            let mut meant = read.config;
            // Nothing is said of tools in the same words as that there are none: see the field.
            meant.allowed_tools.get_or_insert_default();
            assert_eq!(again.config, meant);
        }
        Err(error) => assert!(!error.problems().is_empty(), "it was refused for nothing"),
    }
}

/// Reads a form that is uploaded. The first byte says in pieces of which length it comes, the rest of the first line its content type.
pub fn multipart(data: &[u8]) {
    fuzz_multipart(data);
}

/// Does work to its end, on one runtime for all inputs: making one takes longer than most of them.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().build().expect("a runtime can be made");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
