//! A container that cannot be reached for a while.

use std::time::Duration;

use agcluster_tests::system::{Installation, Plan, Provider};
use agcluster_tests::trouble::{CutOff, container};
use anyhow::ensure;
use serde_json::Value;

use super::{deltas, journal, of_type, scripted, soon};

/// How long it cannot be reached.
const AWAY: Duration = Duration::from_secs(4);

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
        let is_streamed = |event: &&Value| event["text"].as_str().is_some_and(|text| text.len() == 20);
        ensure!(of_type(&events, "text_delta").filter(is_streamed).count() == 200, "events were lost");
        ensure!(other.ask("@@say here").await?.body["content"] == "here", "the other one was disturbed");
        for session in [session, other] {
            session.delete().await?;
        }
        Ok(())
    }))
    .await
}
