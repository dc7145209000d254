//! An agent configuration, as YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agcluster_core::fuzzing::configuration(data));
