//! The program dies, and what it started with it; the session goes on.

use agcluster_protocol::{Event, EventBody, FailureReason, Outcome, Phase};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::harness::{Agent, below, is_alive, outcome, soon};

/// Kills the program, which is the only child of the agent server.
pub(crate) fn kill_program(agent: &Agent) -> anyhow::Result<u32> {
    let program = *below(agent.id()).first().context("the program is not there")?;
    let killed = std::process::Command::new("kill").args(["-9", &program.to_string()]).status()?;
    ensure!(killed.success(), "the program cannot be killed");
    Ok(program)
}

pub(crate) async fn gone(process: u32) -> anyhow::Result<()> {
    soon("the end of a process", async {
        while is_alive(process) {
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Waits until a command has written the id of its process.
pub(crate) async fn written(agent: &Agent, name: &str) -> anyhow::Result<u32> {
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
    // Another one is there without being asked for.
    agent
        .live("another program", |live| live.program.as_ref().is_some_and(|program| program.running))
        .await?;
    ensure!(below(agent.id()).first().is_some_and(|other| *other != program), "it is not another one");

    let events = agent.turn("@@text Here I am again.").await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(agent.remembers("PINEAPPLE"), "the conversation was not taken up");
    agent.stop().await
}

#[tokio::test]
async fn a_program_that_dies_between_turns_is_not_noticed() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    // Before there is a conversation, and when there is one; with and without waiting for the next program.
    for nth in 0..4 {
        let killed = kill_program(&agent)?;
        if nth % 2 == 1 {
            gone(killed).await?;
            agent.live("another program", |live| live.program.as_ref().is_some_and(|it| it.running)).await?;
        }
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

#[tokio::test]
async fn a_program_that_dies_again_and_again_is_given_up_and_said_so() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    agent.turn("@@text I shall remember the word PINEAPPLE.").await?;
    let given_up = soon("the program to be given up", async {
        loop {
            let liveness = agent.liveness().await?;
            match liveness.program.and_then(|program| program.problem) {
                Some(problem) => return anyhow::Ok((liveness.phase, problem)),
                // It may be between two programs.
                None => drop(kill_program(&agent)),
            }
            tokio::task::yield_now().await;
        }
    });
    let (phase, problem) = given_up.await??;
    ensure!(phase == Phase::Failed && problem.contains("5 times in a row"), "{phase:?} {problem}");
    // Whoever asks for work gets another try.
    let events = agent.turn("@@text Here I am again.").await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(agent.remembers("PINEAPPLE"), "the conversation was not taken up");
    agent
        .live("a program that does well", |live| {
            let well = live.program.as_ref().is_some_and(|it| it.deaths == 0 && it.problem.is_none());
            live.phase == Phase::Ready && well
        })
        .await?;
    agent.stop().await
}

#[tokio::test]
async fn a_program_is_started_again_by_order_in_the_middle_of_a_turn() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let configured = agent.configure(json!({})).await?;
    agent.turn("@@text I shall remember the word PINEAPPLE.").await?;
    for script in ["@@bash echo $$ > id; sleep 1000\n@@text Never.", "@@hang"] {
        let mut turn = agent.prompt(script).await?;
        if script.contains("id") {
            written(&agent, "id").await?;
        } else {
            agent
                .live("a model call", |live| live.model.is_some_and(|model| model.open_requests > 0))
                .await?;
        }
        let again = agent.restart_program().await?;
        ensure!(
            again.agent == configured.agent && again.conversation == configured.conversation,
            "{again:?}"
        );
        let events = turn.rest().await?;
        let ends: Vec<_> = events.iter().filter(|event| event.is_terminal()).collect();
        let Outcome::Failed { reason, .. } = outcome(&events)? else { anyhow::bail!("{ends:?}") };
        ensure!(ends.len() == 1 && *reason == FailureReason::AgentRestarted, "{ends:?}");
    }
    ensure!(*outcome(&agent.turn("@@text Here I am again.").await?)? == Outcome::Completed, "not completed");
    ensure!(agent.remembers("PINEAPPLE"), "the conversation was not taken up");
    agent.stop().await
}
