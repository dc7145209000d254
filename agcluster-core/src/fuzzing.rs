//! Entrances for the fuzzer: each takes any bytes, and panics when something that must hold does not.
#![allow(clippy::expect_used, clippy::panic, reason = "a fuzzer is told by a panic")]

use crate::agent::fuzz_event_stream;
use crate::config::AgentConfig;

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
