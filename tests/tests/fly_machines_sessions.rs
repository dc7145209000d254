//! Real Claude Code in machines of a fake Fly, through the server: what is of Fly alone. The rest is in `claude_clouds.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::platforms::fly_machines::FlyMachinesPlatform;
use agcluster_tests::system::{Frame, Provider, Session, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

const KEY: &str = "sk-ant-test-1d5a90";

fn agent() -> Value {
    json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions", "model": "claude-sonnet-4-5" })
}

/// A server whose default is Fly Machines, and the platform.
async fn system() -> (FlyMachinesPlatform, System) {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let files = [("fly_machines", platform.config())];
    let arguments = ["--container-provider=fly_machines"];
    let system = System::start_configured(Provider::Docker, &files, &arguments).await.unwrap();
    (platform, system)
}

/// Ends both; nothing may be wrong and nothing left.
async fn end(platform: FlyMachinesPlatform, system: System) {
    system.stop().await.unwrap();
    assert_eq!(platform.violations(), Vec::<String>::new());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}

fn said(frames: &[Frame]) -> String {
    let content = frames.iter().filter(|frame| frame.kind() == "content");
    content.map(|frame| frame.data["data"]["content"].as_str().unwrap_or_default()).collect()
}

async fn delete(session: &Session) {
    let deleted = session.delete().await.unwrap();
    assert!(deleted.status.is_success(), "{}", deleted.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_with_a_tool_runs_there_and_the_platform_learns_no_key() {
    let (platform, system) = system().await;
    let session = system.api(KEY).launch(agent()).await.unwrap();
    assert_eq!(session.launched["provider"], "fly_machines");
    // As few as can be: the fake's clock runs fast, so that a wait may take several slices. Lists are the server's own, from
    // before, and looks are those of the wait for the agent server.
    let requests = platform.requests();
    let of_launch: Vec<_> =
        requests.iter().map(|request| request.action).filter(|action| *action != "list_machines").collect();
    assert_eq!(of_launch[..2], ["create_machine", "wait"]);
    assert!(of_launch[2..].iter().all(|action| ["wait", "get_machine"].contains(action)), "{of_launch:?}");
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

/// The platform cuts connections that are silent for longer than their service says; the session does not mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_silent_for_too_long_goes_on_where_it_was() {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let files = [("fly_machines", platform.config_with(&json!({ "stream_idle_seconds": 1 })))];
    let arguments = ["--container-provider=fly_machines"];
    let system = System::start_configured(Provider::Docker, &files, &arguments).await.unwrap();
    let session = system.api(KEY).launch(agent()).await.unwrap();
    let mut chat = session.chat("@@gate half One sentence after a long silence.").await.unwrap();
    chat.until("content_delta").await.unwrap();
    system.model().reached("half").await;
    platform.cut_a_silent_stream().await;
    system.model().open("half");
    let frames = chat.rest().await.unwrap();
    assert_eq!(said(&frames), "One sentence after a long silence.");
    delete(&session).await;
    end(platform, system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_leaves_nothing_running() {
    let (platform, system) = system().await;
    system.api(KEY).launch(agent()).await.unwrap();
    end(platform, system).await;
}
