//! Prompts that are added to a turn that runs.

use agcluster_protocol::{Event, EventBody, Outcome, PromptId};
use anyhow::ensure;
use serde_json::json;

use crate::crash::written;
use crate::harness::{Agent, outcome, soon};

fn added(events: &[Event], id: PromptId) -> usize {
    let is_it = |event: &&Event| matches!(event.body, EventBody::PromptAdded { id: is, .. } if is == id);
    events.iter().filter(is_it).count()
}

fn texts(events: &[Event]) -> Vec<&str> {
    let texts = events.iter().filter_map(|event| match &event.body {
        EventBody::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[tokio::test]
async fn what_is_added_while_a_tool_runs_is_told_to_the_model_with_its_result() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn =
        agent.prompt("@@bash echo $$ > id; while [ ! -e go ]; do sleep 0.1; done\n@@text Done.").await?;
    written(&agent, "id").await?;
    let id = PromptId::generate();
    let accepted = agent.steer(id, "And mind the BANANA.").await?;
    // Once more, as one would whose answer was lost.
    ensure!(agent.steer(id, "And mind the BANANA.").await? == accepted, "another answer");
    std::fs::write(agent.workspace().join("go"), "")?;
    let events = soon("the end of the turn", turn.rest()).await??;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(added(&events, id) == 1 && texts(&events) == ["Done."], "{events:?}");
    let told = events.iter().find(|event| event.seq == accepted.after + 1);
    ensure!(told.is_some_and(|event| matches!(event.body, EventBody::PromptAdded { .. })), "{told:?}");
    ensure!(agent.remembers("BANANA"), "the model was not told");
    let messages = agent.model.requests().into_iter().filter(|request| request.is_messages());
    let with = messages.filter(|request| request.json().to_string().contains("BANANA")).count();
    ensure!(with == 1, "it was told {with} times");

    ensure!(*outcome(&agent.turn("@@text Next.").await?)? == Outcome::Completed, "not completed");
    let late = agent.steer(PromptId::generate(), "Too late").await;
    ensure!(late.is_err(), "a prompt was added to no turn");
    agent.stop().await
}

#[tokio::test]
async fn what_is_added_too_late_for_the_answer_is_answered_in_the_same_turn() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn = agent.prompt("@@gate half The first answer.").await?;
    soon("the gate", agent.model.reached("half")).await?;
    let id = PromptId::generate();
    agent.steer(id, "@@text The second answer.").await?;
    agent.model.open("half");
    let events = soon("the end of the turn", turn.rest()).await??;
    ensure!(texts(&events) == ["The first answer.", "The second answer."], "{:?}", texts(&events));
    ensure!(added(&events, id) == 1, "{events:?}");
    let ends: Vec<_> = events.iter().filter(|event| event.is_terminal()).collect();
    let [end] = ends.as_slice() else { anyhow::bail!("{ends:?}") };
    let EventBody::TurnEnded(end) = &end.body else { anyhow::bail!("{end:?}") };
    ensure!(end.outcome == Outcome::Completed && end.model_calls == 2, "{end:?}");
    ensure!(end.result.as_deref() == Some("The second answer."), "{end:?}");
    ensure!(*outcome(&agent.turn("@@text Next.").await?)? == Outcome::Completed, "not completed");
    agent.stop().await
}

#[tokio::test]
async fn a_turn_that_was_added_to_is_interrupted_as_a_whole() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn = agent.prompt("@@gate half The first answer.").await?;
    soon("the gate", agent.model.reached("half")).await?;
    agent.steer(PromptId::generate(), "@@text Never.").await?;
    agent.interrupt().await?;
    let events = soon("the end of the turn", turn.rest()).await??;
    ensure!(*outcome(&events)? == Outcome::Interrupted, "{:?}", events.last());
    let events = agent.turn("@@text Next.").await?;
    ensure!(texts(&events) == ["Next."], "{:?}", texts(&events));
    let turns = agent.all_events().await?.iter().filter(|event| event.is_terminal()).count();
    ensure!(turns == 2, "{turns} turns");
    agent.stop().await
}
