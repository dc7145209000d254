//! What people run beside the agent: it is none of the agent program's affairs, and ends with the agent server.

use anyhow::ensure;
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::json;
use tokio::process::Command;

use crate::crash::{gone, written};
use crate::harness::{Agent, USER, is_alive, is_root, soon};

/// A terminal with a job in the background, and a command.
async fn start_all(agent: &Agent) -> anyhow::Result<(reqwest::Response, Vec<u32>)> {
    let opened = agent.post("/workspace/terminals/main").json(&json!({})).send().await?;
    ensure!(opened.status() == 200, "{}", opened.text().await?);
    let typed = "sleep 1000 & echo $! > job; (nohup sleep 1000 > /dev/null 2>&1 & echo $! > orphan); echo $$ > shell\n";
    let typed = agent.post("/workspace/terminals/main/input").body(typed).send().await?;
    ensure!(typed.status() == 204, "{}", typed.text().await?);
    let command = json!({ "command": ["sh", "-c", "echo $$ > command; sleep 1000; true"] });
    let running = agent.post("/workspace/exec").json(&command).send().await?;
    ensure!(running.status() == 200, "{}", running.text().await?);
    let mut processes = Vec::new();
    for name in ["shell", "job", "orphan", "command"] {
        processes.push(written(agent, name).await?);
    }
    Ok((running, processes))
}

async fn outlives_the_program_and_ends_with_the_server(agent: Agent) -> anyhow::Result<()> {
    agent.configure(json!({})).await?;
    let (_running, processes) = start_all(&agent).await?;
    agent.restart_program().await?;
    ensure!(processes.iter().all(|process| is_alive(*process)), "they ended with the agent program");
    agent.stop().await?;
    ensure!(!processes.iter().any(|process| is_alive(*process)), "they outlived the agent server");
    Ok(())
}

#[tokio::test]
async fn terminals_and_commands_outlive_the_agent_program_and_end_with_the_agent_server() -> anyhow::Result<()>
{
    outlives_the_program_and_ends_with_the_server(Agent::start().await?).await
}

#[tokio::test]
async fn they_do_so_where_the_agent_has_no_user_of_its_own() -> anyhow::Result<()> {
    let user = is_root().then_some(USER);
    outlives_the_program_and_ends_with_the_server(Agent::start_as(user).await?).await
}

async fn starts_nothing_that_ignores_signals(user: Option<u32>) -> anyhow::Result<()> {
    // As a background job of a shell that is no terminal's is started, and what `nohup` runs.
    let agent = Agent::start_by(user, |program| {
        let mut ignoring = Command::new("sh");
        ignoring.args(["-c", "trap '' HUP INT QUIT; exec \"$0\" \"$@\""]).arg(program);
        ignoring
    })
    .await?;
    agent.configure(json!({})).await?;
    let opened = agent.post("/workspace/terminals/main").json(&json!({})).send().await?;
    ensure!(opened.status() == 200, "{}", opened.text().await?);
    // Of those three: shells ignore others for themselves.
    let show =
        |name: &str| format!("echo $((0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & 7)) > {name}\n");
    let typed = agent.post("/workspace/terminals/main/input").body(show("terminal")).send().await?;
    ensure!(typed.status() == 204, "{}", typed.text().await?);
    let command = json!({ "command": ["sh", "-c", show("command")] });
    let ran = agent.post("/workspace/exec").json(&command).send().await?;
    ensure!(ran.status() == 200, "{}", ran.text().await?);
    for name in ["terminal", "command"] {
        let ignored = written(&agent, name).await?;
        ensure!(ignored == 0, "a {name} ignores {ignored:#b}");
    }
    agent.stop().await
}

#[tokio::test]
async fn terminals_and_commands_hear_the_signals_that_the_agent_server_was_started_to_ignore()
-> anyhow::Result<()> {
    starts_nothing_that_ignores_signals(None).await?;
    starts_nothing_that_ignores_signals(is_root().then_some(USER)).await
}

/// The process of the workspace.
async fn process_of_the_workspace(agent: &Agent) -> anyhow::Result<u32> {
    let command = json!({ "command": ["sh", "-c", "echo $PPID > parent"] });
    let answer = agent.post("/workspace/exec").json(&command).send().await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    answer.text().await?;
    let parent = written(agent, "parent").await?;
    std::fs::remove_file(agent.workspace().join("parent"))?;
    Ok(parent)
}

async fn kill(process: u32) -> anyhow::Result<()> {
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status()?;
    ensure!(killed.success(), "it cannot be killed");
    gone(process).await
}

#[tokio::test]
async fn a_workspace_whose_process_is_killed_is_there_again() -> anyhow::Result<()> {
    ensure!(is_root(), "this needs processes of two users: run it as root");
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let first = process_of_the_workspace(&agent).await?;
    kill(first).await?;
    ensure!(process_of_the_workspace(&agent).await? != first, "it is the same one");
    agent.stop().await
}

#[tokio::test]
async fn what_is_left_of_a_file_when_the_process_that_writes_it_is_killed_is_removed() -> anyhow::Result<()> {
    ensure!(is_root(), "this needs processes of two users: run it as root");
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let process = process_of_the_workspace(&agent).await?;
    let endless = stream::iter([Ok::<_, std::io::Error>("begun")]).chain(stream::pending());
    let request = agent.request(Method::PUT, "/workspace/files/content?path=folder/large&parents=true");
    let writing = tokio::spawn(request.body(Body::wrap_stream(endless)).send());
    let folder = agent.workspace().join("folder");
    let left = || folder.read_dir().map_or(0, Iterator::count);
    let waited = |many: usize| async move {
        while left() != many {
            tokio::task::yield_now().await;
        }
    };
    soon("the file's beginning", waited(1)).await?;
    kill(process).await?;
    let answer = soon("an answer", writing).await??;
    ensure!(!answer.is_ok_and(|answer| answer.status().is_success()), "half of it was taken");
    ensure!(left() == 1, "nobody had the time to remove it");
    process_of_the_workspace(&agent).await?;
    soon("the removal", waited(0)).await?;
    agent.stop().await
}
