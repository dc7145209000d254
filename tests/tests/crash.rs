//! The server is killed among working clients: a short form of `cargo xtask crash`, with a seed that is always the same.

#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tokio::process::Command;

/// A round takes seconds.
const LIMIT: Duration = Duration::from_secs(600);

/// Plays rounds, and fails with everything that was found.
async fn crash(arguments: &[&str]) {
    let mut crash = Command::new(env!("CARGO_BIN_EXE_crash"));
    let ended = crash.args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(LIMIT, ended).await;
    let output = output.expect("it takes too long").expect("it cannot be started");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.trim_end().ends_with("0 lost, 0 duplicated, 0 orphaned, 0 untrue"), "{said}");
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_left_behind_with_the_scripted_agent() {
    crash(&["--rounds=8", "--seed=1"]).await;
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_left_behind_with_claude_on_docker() {
    crash(&["--rounds=2", "--seed=1", "--agent=claude"]).await;
}

#[tokio::test]
async fn nothing_is_lost_whatever_befalls_the_scripted_agent() {
    crash(&["--rounds=8", "--seed=2", "--still=3", "--trouble=container,program,standstill,disk"]).await;
    crash(&["--rounds=3", "--seed=2", "--trouble=lock"]).await;
    crash(&["--rounds=3", "--seed=2", "--trouble=postgres"]).await;
}

#[tokio::test]
async fn nothing_is_lost_whatever_befalls_claude_on_docker() {
    let troubles = "--trouble=container,program,standstill,network,lock";
    crash(&["--rounds=6", "--seed=3", "--still=3", "--agent=claude", troubles]).await;
}
