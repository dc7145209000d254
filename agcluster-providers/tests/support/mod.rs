//! What the tests take from their surroundings.
#![allow(dead_code, reason = "not every test takes everything")]

use std::path::PathBuf;

/// A name that no other run has.
pub(crate) fn run_name(what: &str) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("t{}-{what}-{:x}", std::process::id(), now & 0xfff_ffff)
}

/// The agent image.
pub(crate) fn image() -> String {
    std::env::var("AGCLUSTER_TEST_IMAGE").unwrap_or_else(|_| "agcluster/agent:latest".to_owned())
}

/// The agent server as a file.
pub(crate) fn agent_binary() -> PathBuf {
    let path = std::env::var_os("AGCLUSTER_AGENT_BINARY");
    let path = path.expect("set AGCLUSTER_AGENT_BINARY to the path that `cargo xtask agent` prints");
    let path = PathBuf::from(path);
    assert!(path.is_file(), "AGCLUSTER_AGENT_BINARY is {}, which is no file", path.display());
    path
}
