//! A container that cannot be reached for a while.

use std::time::Duration;

use agcluster_tests::system::{Installation, Plan, Provider};
use agcluster_tests::trouble::{CutOff, container};
use anyhow::ensure;
use serde_json::Value;

use super::{deltas, journal, of_type, scripted, soon, whole_journal};

/// How long it cannot be reached.
const AWAY: Duration = Duration::from_secs(4);

/// How many of a stream's pieces of text there are.
fn streamed(events: &[Value]) -> usize {
    let is_streamed = |event: &&Value| event["text"].as_str().is_some_and(|text| text.len() == 20);
    of_type(events, "text_delta").filter(is_streamed).count()
}

#[tokio::test]
async fn a_cut_network_loses_nothing() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = scripted(installation).await?;
        let mut chat = session.chat("@@stream 200 every 20ms of 20 bytes").await?;
        deltas(&mut chat, 10).await?;
        let cut = CutOff::from_network(&container(installation, &session.id).await?).await?;
        // It takes the address that is free now, where it must not be taken for the one that is away.
        let other = scripted(installation).await?;
        tokio::time::sleep(AWAY).await;
        ensure!(session.get().await?.body["status"] == "running", "it was given up");
        cut.mend().await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
        let events = journal(&session).await?;
        ensure!(streamed(&events) == 200, "events were lost");
        ensure!(other.ask("@@say here").await?.body["content"] == "here", "the other one was disturbed");
        for session in [session, other] {
            session.delete().await?;
        }
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_server_that_starts_while_a_container_is_cut_off_goes_on_with_its_turn_once_it_is_back()
-> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = scripted(installation).await?;
        let mut chat = session.chat("@@stream 200 every 20ms of 20 bytes").await?;
        deltas(&mut chat, 1).await?;
        let cut = CutOff::from_network(&container(installation, &session.id).await?).await?;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        ensure!(session.get().await?.body["status"] == "running", "it was given up");
        cut.mend().await?;
        soon("the end of the turn", async {
            while session.get().await?.body["turn"] != Value::Null {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
        .await?;
        let events = whole_journal(&session, "@@say the end").await?;
        ensure!(streamed(&events) == 200, "events were lost");
        let ended: Vec<_> = of_type(&events, "turn_ended").map(|end| end["outcome"].clone()).collect();
        ensure!(ended == ["completed", "completed"], "{ended:?}");
        session.delete().await?;
        Ok(())
    }))
    .await
}
