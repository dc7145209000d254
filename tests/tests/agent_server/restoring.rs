//! A conversation goes on where it has never been.

use std::collections::BTreeMap;

use agcluster_protocol::{Event, EventBody, Outcome, TranscriptFile};
use anyhow::ensure;
use serde_json::json;

use crate::harness::{Agent, outcome};

/// What the events tell of the program's record.
fn transcript(events: &[Event]) -> Vec<TranscriptFile> {
    let mut files: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for event in events {
        if let EventBody::Transcript { path, entries } = &event.body {
            files.entry(path.clone()).or_default().extend(entries.iter().cloned());
        }
    }
    files.into_iter().map(|(path, entries)| TranscriptFile { path, entries }).collect()
}

#[tokio::test]
async fn a_conversation_goes_on_in_a_home_that_has_never_seen_it_again_and_again() -> anyhow::Result<()> {
    let mut agent = Agent::start().await?;
    let mut conversation = agent.configure(json!({})).await?.conversation;
    agent.turn("@@bash echo WALNUT\n@@text I shall remember the word PINEAPPLE.").await?;
    let mut told = Vec::new();
    for nth in 0..3 {
        told.extend(agent.all_events().await?);
        let files = transcript(&told);
        ensure!(!files.is_empty() && files.iter().all(|file| file.checked_path().is_ok()), "{files:?}");
        // Another home, and another directory to work in.
        let next = Agent::start().await?;
        let configured = next.configure_as(json!({"resume": conversation, "transcript": files})).await?;
        ensure!(configured.conversation == conversation, "{configured:?}");
        let events = next.turn(&format!("@@text Here I am again, number{nth}.")).await?;
        ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
        for word in ["PINEAPPLE", "WALNUT"] {
            ensure!(next.remembers(word), "{word} was forgotten");
        }
        ensure!(
            nth == 0 || next.remembers(&format!("number{}", nth - 1)),
            "the last container was forgotten"
        );
        conversation = configured.conversation;
        std::mem::replace(&mut agent, next).stop().await?;
    }
    agent.stop().await
}

#[tokio::test]
async fn a_conversation_that_broke_off_in_a_tool_goes_on_elsewhere() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let conversation = agent.configure(json!({})).await?.conversation;
    let mut turn =
        agent.prompt("The word is PINEAPPLE.\n@@bash echo $$ > id; sleep 1000\n@@text No.").await?;
    crate::crash::written(&agent, "id").await?;
    crate::crash::kill_program(&agent)?;
    turn.rest().await?;
    let files = transcript(&agent.all_events().await?);
    let next = Agent::start().await?;
    next.configure_as(json!({"resume": conversation, "transcript": files})).await?;
    let events = next.turn("@@text Here I am again.").await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(next.remembers("PINEAPPLE"), "the conversation was not taken up");
    next.stop().await?;
    agent.stop().await
}

#[tokio::test]
async fn a_conversation_that_was_cleared_stays_so() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let first = agent.configure(json!({})).await?.conversation;
    agent.turn("@@text I shall remember the word PINEAPPLE.").await?;
    ensure!(*outcome(&agent.turn("/clear").await?)? == Outcome::Completed, "not cleared");
    agent.turn("@@text I shall remember the word WALNUT.").await?;
    let second = agent.liveness().await?.configured.and_then(|configured| configured.conversation);
    ensure!(second.is_some() && second != first, "{second:?}");
    // After a death, and elsewhere.
    crate::crash::gone(crate::crash::kill_program(&agent)?).await?;
    agent.turn("@@text Here I am again.").await?;
    ensure!(agent.remembers("WALNUT") && !agent.remembers("PINEAPPLE"), "another conversation");
    let files = transcript(&agent.all_events().await?);
    let next = Agent::start().await?;
    next.configure_as(json!({"resume": second, "transcript": files})).await?;
    next.turn("@@text Here I am again.").await?;
    ensure!(next.remembers("WALNUT") && !next.remembers("PINEAPPLE"), "another conversation");
    next.stop().await?;
    agent.stop().await
}

#[tokio::test]
async fn a_file_outside_of_the_home_is_refused() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    for path in ["../x", "/etc/x", "a/../../x"] {
        let files = json!([{"path": path, "entries": [{}]}]);
        let resume = "01890a5d-ac96-474b-8cce-b302099a8057";
        let refused = agent.configure_as(json!({"resume": resume, "transcript": files})).await;
        ensure!(refused.is_err_and(|error| error.to_string().contains("invalid_request")), "{path}");
    }
    agent.configure(json!({})).await?;
    agent.stop().await
}
