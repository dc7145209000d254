//! Clients that lose their streams at any byte end with the same events as one that loses none, also when the server is killed
//! meanwhile: a short form of `cargo xtask crash --rounds 0 --disconnects 10000`.

use std::time::Duration;

use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(600);

#[tokio::test]
async fn every_client_ends_with_the_same_events() {
    let mut fuzz = Command::new(env!("CARGO_BIN_EXE_crash"));
    fuzz.args(["--rounds=0", "--seed=1", "--disconnects=600", "--streams=20", "--kills=2"])
        .kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, fuzz.output()).await;
    let output = output.expect("it takes too long").expect("it cannot be started");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("600 streams cut"), "{said}");
    assert!(said.trim_end().ends_with("0 lost, 0 duplicated, 0 orphaned, 0 untrue"), "{said}");
}
