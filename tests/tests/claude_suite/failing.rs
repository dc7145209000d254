//! Errors of the model API, and an agent program that dies.

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::json;

use super::{KEY, agent, outputs, said, terminal, turn};

pub(crate) async fn errors_of_the_model_api_end_the_turn_with_a_reason(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    for (status, code) in [(401, "model_auth"), (400, "model_api"), (529, "model_overloaded")] {
        let frames = turn(&session, &format!("@@error {status}")).await?;
        ensure!(
            terminal(&frames)["type"] == "error" && terminal(&frames)["code"] == code,
            "{status}: {frames:#?}"
        );
        ensure!(said(&frames).is_empty(), "an error was shown as the model's words: {frames:#?}");
    }
    let answer = session.ask("@@error 401").await?;
    ensure!((answer.status, answer.code()) == (StatusCode::BAD_GATEWAY, "turn_failed"), "{}", answer.body);
    let frames = turn(&session, "@@text Back again.").await?;
    ensure!(said(&frames) == "Back again.", "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_passing_error_is_retried_and_shown(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let frames = turn(&session, "@@error 529 1\n@@text At last.").await?;
    ensure!(
        frames.iter().any(|frame| frame.kind() == "retry" && frame.data["data"]["status"] == 529),
        "{frames:#?}"
    );
    ensure!(said(&frames) == "At last.", "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_program_that_dies_in_a_turn_ends_it_once_and_the_next_turn_remembers(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    turn(&session, "@@text Remember me.").await?;
    // The shell's ancestor that is the agent program: the first that is no shell.
    let kill = "@@bash p=$PPID; while grep -qaE '^(bash|sh|zsh)$' /proc/$p/comm; do p=$(cut -d' ' -f4 /proc/$p/stat); done; kill -9 $p; read forever < <(sleep 1000)";
    let frames = turn(&session, &format!("{kill}\n@@text never said")).await?;
    ensure!(
        terminal(&frames)["type"] == "error" && terminal(&frames)["code"] == "agent_exited",
        "{frames:#?}"
    );
    let frames = turn(&session, "@@text Who are you?").await?;
    ensure!(said(&frames) == "Who are you?", "{frames:#?}");
    let last = system.model().requests().into_iter().rfind(|request| request.is_messages());
    ensure!(
        last.is_some_and(|request| request.json().to_string().contains("Remember me.")),
        "the conversation is gone"
    );
    let frames = turn(&session, "@@bash echo alive").await?;
    ensure!(outputs(&frames).contains("alive"), "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_wrong_base_url_of_the_launch_is_a_failed_turn(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let request = json!({ "config": agent(&["Bash"]), "base_url": "http://127.0.0.1:9" });
    let session = system.api(KEY).launch_with(request).await?;
    let frames = turn(&session, "hello").await?;
    ensure!(terminal(&frames)["type"] == "error", "{frames:#?}");
    ensure!(!format!("{frames:?}").contains(KEY), "the key was shown");
    system.stop().await
}
