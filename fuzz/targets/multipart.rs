//! A form with files, as clients upload them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agcluster_core::fuzzing::multipart(data));
