//! The event stream of an agent server, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agcluster_core::fuzzing::event_stream(data));
