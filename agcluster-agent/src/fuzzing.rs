//! Entrances for the fuzzer: each takes any bytes, and panics when something that must hold does not.

/// Takes lines of Claude Code's output in a turn, then its death: the turn ends once.
pub fn claude_stream(data: &[u8]) {
    crate::driver::fuzz_claude_stream(data);
}

/// Takes what git says of a difference: what is given of it is bounded.
pub fn git_diff(data: &[u8]) {
    crate::workspace::fuzz_git_diff(data);
}
