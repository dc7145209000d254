//! Text, usage, interruptions, errors, resumption.

use agcluster_protocol::{EventBody, FailureReason, Limit, Outcome};
use anyhow::ensure;
use serde_json::json;

use crate::harness::{Agent, outcome};

#[tokio::test]
async fn text_streams_by_turn_after_turn() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let configured = agent.configure(json!({"system_prompt": "You are a test."})).await?;
    ensure!(configured.agent.starts_with("claude "), "{}", configured.agent);
    let mut turn = agent.prompt("@@gate half Good morning to you.").await?;
    let is_delta = |event: &agcluster_protocol::Event| match &event.body {
        EventBody::TextDelta { text, .. } => Some(text.clone()),
        _ => None,
    };
    // The first half is here while the model still holds back the second.
    let first = turn.until("the first delta", is_delta).await?;
    ensure!("Good morning to you.".starts_with(&first), "{first}");
    agent.model.open("half");
    let events = turn.rest().await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{events:?}");
    let Some(EventBody::TurnEnded(end)) = events.last().map(|event| &event.body) else { unreachable!() };
    ensure!(end.result.as_deref() == Some("Good morning to you."), "{end:?}");
    ensure!(end.usage.input_tokens > 0 && end.usage.output_tokens > 0 && end.model_calls == 1, "{end:?}");

    let events = agent.turn("@@text A second turn.").await?;
    let Some(EventBody::TurnEnded(second)) = events.last().map(|event| &event.body) else { unreachable!() };
    // The usage is the turn's alone, not the session's.
    ensure!(second.usage.output_tokens < end.usage.output_tokens + 5, "{second:?}");
    let request = agent.model.requests().into_iter().rev().find(|request| request.is_messages());
    let request = request.ok_or_else(|| anyhow::anyhow!("no request"))?;
    ensure!(request.system_text().contains("You are a test."), "{}", request.system_text());
    ensure!(
        request.user_texts().iter().any(|text| text.contains("Good morning")),
        "the first turn is forgotten"
    );
    agent.stop().await
}

#[tokio::test]
async fn a_stream_is_interrupted_and_the_next_turn_works() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let mut turn = agent.prompt("@@gate never This will not be read to its end.").await?;
    agent.model.reached("never").await;
    agent.interrupt().await?;
    ensure!(turn.end().await? == Outcome::Interrupted, "not interrupted");
    ensure!(*outcome(&agent.turn("@@text On we go.").await?)? == Outcome::Completed, "not completed");
    agent.stop().await
}

#[tokio::test]
async fn errors_of_the_model_are_told_by_their_reason() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"env": {"CLAUDE_CODE_MAX_RETRIES": "1"}})).await?;
    for (status, reason) in [
        (400, FailureReason::ModelApi),
        (401, FailureReason::ModelAuth),
        (429, FailureReason::ModelOverloaded),
        (500, FailureReason::ModelApi),
        (529, FailureReason::ModelOverloaded),
    ] {
        let events = agent.turn(&format!("@@error {status}")).await?;
        let Outcome::Failed { reason: is, message } = outcome(&events)? else {
            anyhow::bail!("{status}: {:?}", events.last());
        };
        ensure!(*is == reason, "{status}: {is:?}, {message}");
        ensure!(!message.contains("127.0.0.1"), "{message}");
        // What the program writes about it is no text of the model's.
        ensure!(!events.iter().any(|event| matches!(event.body, EventBody::Text { .. })), "{status}");
    }
    ensure!(*outcome(&agent.turn("@@text Works again.").await?)? == Outcome::Completed, "not completed");
    agent.stop().await
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_is_said_by_name() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    // A port that is closed.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let options = json!({"env": {"CLAUDE_CODE_MAX_RETRIES": "0"}});
    agent.configure_at(&format!("http://localhost:{}", closed.port()), options, None).await?;
    let events = agent.turn("Hello?").await?;
    let Outcome::Failed { reason, message } = outcome(&events)? else { anyhow::bail!("{:?}", events.last()) };
    let says =
        "the model API at localhost cannot be reached: check the base URL and the network of the container";
    ensure!(*reason == FailureReason::ModelApi && message.starts_with(says), "{reason:?} {message}");
    ensure!(!message.contains("127.0.0.1"), "{message}");
    agent.stop().await
}

#[tokio::test]
async fn a_retry_is_told_and_a_limit_ends_the_turn() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"max_turns": 2})).await?;
    let events = agent.turn("@@error 529 1\n@@text Recovered.").await?;
    ensure!(
        events.iter().any(|event| matches!(event.body, EventBody::Retry { status: Some(529), .. })),
        "no retry"
    );
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    let events = agent.turn("@@bash true\n@@bash true\n@@bash true\n@@text Never.").await?;
    ensure!(*outcome(&events)? == Outcome::Limit { which: Limit::MaxTurns }, "{:?}", events.last());
    agent.stop().await
}

#[tokio::test]
async fn a_conversation_is_taken_up_by_another_start_of_the_program() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    // Another home than the one that goes with the server, so that the conversation outlives it.
    let home = agent.workspace().join("home");
    let configured = agent.configure(json!({"env": {"HOME": home}})).await?;
    agent.turn("@@text I shall remember the word PINEAPPLE.").await?;
    let conversation = configured.conversation.unwrap_or_default();
    let workspace = agent.workspace();
    let next = Agent::start().await?;
    let options = json!({"env": {"HOME": home}, "cwd": workspace});
    let resumed = next.configure_with(options, Some(&conversation)).await?;
    ensure!(resumed.conversation.as_deref() == Some(conversation.as_str()), "{resumed:?}");
    next.turn("@@text Here I am again.").await?;
    let request = next.model.requests().into_iter().find(|request| request.is_messages());
    let body = request.map(|request| request.json().to_string()).unwrap_or_default();
    ensure!(body.contains("PINEAPPLE"), "the conversation was not taken up");
    next.stop().await?;
    agent.stop().await
}

#[tokio::test]
async fn a_conversation_that_is_not_there_cannot_be_taken_up() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let unknown = "01890a5d-ac96-474b-8cce-b302099a8057";
    let error = agent.configure_with(json!({}), Some(unknown)).await.err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    ensure!(error.contains("agent_start_failed") && error.contains("No conversation found"), "{error}");
    agent.configure(json!({})).await?;
    agent.stop().await
}
