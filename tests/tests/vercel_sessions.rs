//! Real Claude Code in sandboxes of a fake Vercel, through the server: what is of Vercel alone. The rest is in `claude_clouds.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::platforms::vercel::VercelPlatform;
use agcluster_tests::system::{Provider, Session, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

const KEY: &str = "sk-ant-test-0b3e77";

fn agent() -> Value {
    json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions", "model": "claude-sonnet-4-5" })
}

/// A server whose default is Vercel, and the platform.
async fn system() -> (VercelPlatform, System) {
    let platform = VercelPlatform::start().await.unwrap();
    let files = [("vercel", platform.config())];
    let arguments = ["--container-provider=vercel"];
    let system = System::start_configured(Provider::Docker, &files, &arguments).await.unwrap();
    (platform, system)
}

/// Ends both; nothing may be wrong and nothing left.
async fn end(platform: VercelPlatform, system: System) {
    system.stop().await.unwrap();
    assert_eq!(platform.violations(), Vec::<String>::new());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}

async fn delete(session: &Session) {
    let deleted = session.delete().await.unwrap();
    assert!(deleted.status.is_success(), "{}", deleted.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_with_a_tool_runs_there_and_the_platform_learns_no_key() {
    let (platform, system) = system().await;
    let session = system.api(KEY).launch(agent()).await.unwrap();
    assert_eq!(session.launched["provider"], "vercel");
    // As few as can be: the sandbox, its agent server, and where that is. Lists are the server's own, from before.
    let requests = platform.requests();
    let of_launch: Vec<_> = requests.iter().filter(|request| request.path != "v2/sandboxes").collect();
    let lines: Vec<_> = of_launch.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(lines[0], "POST v3/sandboxes");
    assert!(lines[1].starts_with("POST v2/sandboxes/sessions/") && lines[1].ends_with("/cmd"), "{lines:?}");
    assert!(lines[2..].iter().all(|line| line.starts_with("GET v2/sandboxes/agc-")), "{lines:?}");
    // Its machine ends by itself unless it is extended, and clients are told when.
    let session_now = session.get().await.unwrap().body;
    let ends: jiff::Timestamp = session_now["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(ends > jiff::Timestamp::now(), "{session_now}");
    let answer =
        session.ask("@@bash echo made > made.txt; cat made.txt; pwd\n@@text Done there.").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let output = answer.body["tools"][0]["output"].as_str().unwrap();
    assert!(output.contains("made") && output.contains("/workspace"), "{output}");
    assert_eq!(answer.body["content"], "Done there.");
    let sent = format!("{:?}", platform.requests());
    assert!(!sent.contains(KEY), "the model's key was sent to the platform");
    assert!(sent.contains("AGCLUSTER_TOKEN_SHA256"), "the check itself works");
    delete(&session).await;
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    end(platform, system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_leaves_nothing_running() {
    let (platform, system) = system().await;
    system.api(KEY).launch(agent()).await.unwrap();
    end(platform, system).await;
}
