//! The vendors' own clients, unchanged, on real Claude Code in real containers; only the model's HTTP API is scripted.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use super::*;

/// One run takes seconds.
const LIMIT: Duration = Duration::from_secs(240);

/// The folder that the test set-up has installed the clients into.
fn clients() -> PathBuf {
    let folder = std::env::var_os("AGCLUSTER_CLIENTS");
    folder
        .expect("AGCLUSTER_CLIENTS must name the folder of the official clients: cargo xtask test sets it")
        .into()
}

fn python(script: &str) -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", clients().join("python")).args(["-c", script]);
    python
}

fn node(script: &str) -> Command {
    let mut node = Command::new("node");
    // Given as text, it finds packages from the folder that it runs in.
    node.current_dir(clients().join("node")).args(["--input-type=module", "--eval", script, "--"]);
    node
}

/// What a client saw of a system with one real agent.
async fn saw(mut client: Command) -> Value {
    let system = coder(Provider::Docker).await;
    let running = client.args([system.api(KEY).url(""), KEY.to_owned()]).kill_on_drop(true).output();
    let done = tokio::time::timeout(LIMIT, running).await.expect("the client hangs").unwrap();
    let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "the client failed:\n{said}\n{errors}");
    let requests = system.model().requests();
    assert!(
        requests.iter().filter(|request| request.is_messages()).all(|request| request.api_key() == Some(KEY))
    );
    system.stop().await.unwrap();
    serde_json::from_str(said.trim()).unwrap()
}

fn expect(saw: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&saw[name], value, "{name}");
    }
}

fn models() -> Value {
    json!(["coder", "coder/claude-haiku-4-5", "coder/claude-opus-4-5", "coder/claude-sonnet-4-5"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_s_client_for_python_works_as_it_is() {
    let saw = saw(python(include_str!("clients/openai_client.py"))).await;
    let bad_gateway = json!(["InternalServerError", 502, "model_api", null]);
    expect(
        &saw,
        json!({
            "version": "3.52.0",
            "models": models(),
            "model": "agcluster",
            "chat": ["I wrote it.", "stop", true],
            "chat_tool": true,
            "stream": ["It says hello.", "stop", true, true],
            "response": ["completed", "I wrote it.", true],
            "response_stream": ["response.created", "response.completed", true, "Still there."],
            "response_goes_on": true,
            "response_again": "Still there.",
            "alone": "Alone.",
            "unknown_model": ["NotFoundError", 404, "model_not_found", "model"],
            "system_only": ["BadRequestError", 400, "no_user_message", "messages"],
            "no_response": ["NotFoundError", 404, "previous_response_not_found", "previous_response_id"],
            "failed": bad_gateway,
            "busy": ["ConflictError", 409, "session_busy", null],
            "interrupted": "length",
            "failed_stream": ["APIError", "model_api"],
        }),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_s_client_for_node_works_as_it_is() {
    let saw = saw(node(include_str!("clients/openai_client.mjs"))).await;
    expect(
        &saw,
        json!({
            "chat": ["I wrote it.", "stop", true],
            "stream": ["It says hello.", true],
            "response": ["completed", "I wrote it."],
            "response_stream": ["response.created", "response.completed", "Still there."],
            "unknown_model": ["NotFoundError", 404, "model_not_found"],
            "failed": ["InternalServerError", 502, "model_api"],
        }),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_s_client_for_python_works_as_it_is() {
    let saw = saw(python(include_str!("clients/anthropic_client.py"))).await;
    expect(
        &saw,
        json!({
            "version": "2.11.0",
            "models": models(),
            "model": "Coder (claude-sonnet-4-5)",
            "message": [["thinking", "text"], "I wrote it.", "end_turn"],
            "tool": true,
            "usage": true,
            "stream": ["message_start", "message_stop", ["thinking", "thinking", "text"], "It says hello."],
            "stream_tool": true,
            "user": "For a user.",
            "unknown_model": ["NotFoundError", 404, "not_found_error"],
            "count": ["NotFoundError", 404, "not_found_error"],
            "failed": ["InternalServerError", 502, "api_error"],
            "failed_stream": "model_api",
        }),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_s_client_for_node_works_as_it_is() {
    let saw = saw(node(include_str!("clients/anthropic_client.mjs"))).await;
    expect(
        &saw,
        json!({
            "message": [["thinking", "text"], "I wrote it.", "end_turn"],
            "stream": [["thinking", "text"], "It says hello.", true],
        }),
    );
}
