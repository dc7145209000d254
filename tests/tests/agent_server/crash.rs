//! The program dies, and what it started with it; the session goes on.

use agcluster_protocol::{Event, EventBody, FailureReason, Outcome};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::harness::{Agent, below, is_alive, outcome, soon};

/// Kills the program, which is the only child of the agent server.
fn kill_program(agent: &Agent) -> anyhow::Result<u32> {
    let program = *below(agent.id()).first().context("the program is not there")?;
    let killed = std::process::Command::new("kill").args(["-9", &program.to_string()]).status()?;
    ensure!(killed.success(), "the program cannot be killed");
    Ok(program)
}

async fn gone(process: u32) -> anyhow::Result<()> {
    soon("the end of a process", async {
        while is_alive(process) {
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Waits until a command has written the id of its process.
async fn written(agent: &Agent, name: &str) -> anyhow::Result<u32> {
    let path = agent.workspace().join(name);
    soon("the command", async {
        loop {
            match std::fs::read_to_string(&path) {
                Ok(id) if id.ends_with('\n') => return Ok(id.trim().parse()?),
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await?
}

#[tokio::test]
async fn a_program_that_is_killed_ends_the_turn_and_the_next_takes_up_the_conversation() -> anyhow::Result<()>
{
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    agent.turn("@@text I shall remember the word PINEAPPLE.").await?;
    let mut turn = agent.prompt("@@bash echo $$ > id; sleep 1000\n@@text Never.").await?;
    let command = written(&agent, "id").await?;
    let program = kill_program(&agent)?;
    let events = turn.rest().await?;
    let Outcome::Failed { reason, message } = outcome(&events)? else { anyhow::bail!("{:?}", events.last()) };
    ensure!(*reason == FailureReason::AgentExited && message.contains("signal 9"), "{message}");
    let exited =
        |event: &Event| matches!(event.body, EventBody::AgentExited { signal: Some(9), code: None, .. });
    ensure!(events.iter().any(exited), "{events:?}");
    gone(program).await?;
    gone(command).await?;

    let events = agent.turn("@@text Here I am again.").await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    let request = agent.model.requests().into_iter().rev().find(|request| request.is_messages());
    let body = request.map(|request| request.json().to_string()).unwrap_or_default();
    ensure!(body.contains("PINEAPPLE"), "the conversation was not taken up");
    agent.stop().await
}

#[tokio::test]
async fn a_program_that_dies_between_turns_is_not_noticed() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    // Before there is a conversation, and when there is one.
    for _ in 0..2 {
        kill_program(&agent)?;
        let events = agent.turn("@@text Still here.").await?;
        ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    }
    agent.stop().await
}

#[tokio::test]
async fn a_command_is_interrupted_and_is_gone() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn = agent.prompt("@@bash echo $$ > id; sleep 1000\n@@text Never.").await?;
    let command = written(&agent, "id").await?;
    agent.interrupt().await?;
    ensure!(turn.end().await? == Outcome::Interrupted, "not interrupted");
    gone(command).await?;
    ensure!(*outcome(&agent.turn("@@text On we go.").await?)? == Outcome::Completed, "not completed");
    agent.stop().await
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_the_agent_server() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let detached = "setsid nohup bash -c 'echo $$ > id; exec sleep 1000' > /dev/null 2>&1 &";
    agent.turn(&format!("@@bash {detached}\n@@text Left behind.")).await?;
    let command = written(&agent, "id").await?;
    ensure!(is_alive(command), "it ended with the turn");
    agent.stop().await?;
    ensure!(!is_alive(command), "it lives on");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_told_to_end_in_a_turn_says_so_and_leaves_nothing() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn = agent.prompt("@@bash echo $$ > id; trap '' TERM; sleep 1000\n@@text Never.").await?;
    let command = written(&agent, "id").await?;
    let (stopped, end) = tokio::join!(agent.stop(), turn.end());
    stopped?;
    let Outcome::Failed { reason, .. } = end? else { anyhow::bail!("the turn did not fail") };
    ensure!(reason == FailureReason::SessionStopped, "{reason:?}");
    ensure!(!is_alive(command), "the command lives on");
    Ok(())
}
