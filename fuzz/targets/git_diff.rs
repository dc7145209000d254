//! What git says of a difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agcluster_agent::fuzzing::git_diff(data));
