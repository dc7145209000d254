//! Vercel's own client on our fake: what proves that the fake is like Vercel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use agcluster_tests::platforms::vercel::VercelPlatform;
use serde_json::{Value, json};
use tokio::process::Command;

/// The version whose schemas and requests the fake is held to.
const PACKAGE: &str = "@vercel/sandbox@3.5.0";

/// Runs a program to its end; it must succeed.
async fn run(program: &str, arguments: &[&str], folder: &Path) -> Output {
    let running = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("VERCEL_SANDBOX_TELEMETRY_DISABLED", "1")
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(Duration::from_secs(240), running).await.expect("it hangs");
    let done =
        done.unwrap_or_else(|error| panic!("{program} cannot be started, and this test needs it: {error}"));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?} failed:\n{errors}");
    done
}

/// A folder with the client in it, kept from one run to the next.
async fn client() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vercel-sandbox-3.5.0");
    let manifest = folder.join("node_modules/@vercel/sandbox/package.json");
    let installed =
        std::fs::read(&manifest).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    if installed.is_none_or(|manifest| manifest["version"] != "3.5.0") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), r#"{"private": true}"#).unwrap();
        run("npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE], &folder).await;
    }
    // Beside its package, so that it finds it.
    let script = include_str!("../src/platforms/vercel/official_client.mjs");
    std::fs::write(folder.join("official_client.mjs"), script).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_finds_everything_as_it_expects() {
    let folder = client().await;
    let platform = VercelPlatform::start().await.unwrap();
    let done = run("node", &["official_client.mjs", &platform.url()], &folder).await;
    let text = String::from_utf8(done.stdout).unwrap();
    let saw: Value = serde_json::from_str(text.trim()).unwrap();
    let expected = json!({
        "created": ["official-1", "running", true, 2, 600_000],
        "domain": true,
        "expires": true,
        "waited": [3, "s c\n1000\n", "wrong\n"],
        "root": "0\n",
        "late": true,
        "log": {"stream": "stdout", "data": "begun\n"},
        "running": null,
        "killed": 143,
        "again": 143,
        "read": "ä\n",
        "ran": "ran\n",
        "missing": null,
        "made": 0,
        "extended": 60_000,
        "policy": "deny-all",
        "listed": [1, 0],
        "prefix": 1,
        "after_stop": "ä\n",
        "resumed": [1, true, true],
        "snapshot": "created",
        "copied": "ä\n",
        "forked": ["ä\n", "infra"],
        "got": "official-2",
        "stopped": "410 sandbox_stopped: Sandbox is stopped",
        "unresumable": "410 snapshot_not_found: Snapshot not found",
        "none": "404 not_found: Sandbox not found",
        "no_image": "404 not_found: Image none:none not found",
        "too_long": "400 bad_request: timeout restricted to <= 1440m",
        "bad_token": "401 unauthorized: The request requires authentication",
        "bad_team": "403 forbidden: Not authorized",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&saw[name], value, "{name}");
    }
    assert_eq!(platform.violations(), Vec::<String>::new());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    assert_eq!(platform.snapshots(), Vec::<String>::new());
    platform.stop().await.unwrap();
}
