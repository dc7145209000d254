//! What Claude Code writes to its standard output.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agcluster_agent::fuzzing::claude_stream(data));
