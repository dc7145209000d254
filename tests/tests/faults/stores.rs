//! Databases that cannot be written for a while: what was begun goes on and loses nothing, what would begin is refused with a
//! reason, and all is well again by itself.

use agcluster_tests::postgres::Postgres;
use agcluster_tests::system::{Chat, Installation, Plan, Provider, Session};
use agcluster_tests::trouble::{Locked, fill_disk, small_disk};
use anyhow::ensure;
use reqwest::StatusCode;

use super::{KEY, deltas, journal, of_type, scripted, soon, until_ready};

/// Events of a turn that runs all the while.
const DELTAS: usize = 400;

/// Two sessions: one that runs a turn all the while, and one that is idle.
async fn working(installation: &Installation) -> anyhow::Result<(Session, Chat, Session)> {
    let (busy, idle) = (scripted(installation).await?, scripted(installation).await?);
    let mut chat = busy.chat(&format!("@@stream {DELTAS} every 20ms of 20 bytes")).await?;
    deltas(&mut chat, 10).await?;
    Ok((busy, chat, idle))
}

/// Says why it takes nothing new now.
async fn refuses(installation: &Installation, idle: &Session) -> anyhow::Result<()> {
    let refused = soon("a refusal", idle.ask("hello?")).await?;
    ensure!(
        refused.status == StatusCode::SERVICE_UNAVAILABLE && refused.code() == "store_unavailable",
        "{} {}",
        refused.status,
        refused.body
    );
    ensure!(refused.headers.contains_key("retry-after"), "it does not say when to come back");
    let ready = until_ready(&installation.api(KEY), false).await?;
    ensure!(ready["detail"].as_str().is_some_and(|detail| detail.contains("database")), "{ready}");
    ensure!(installation.api(KEY).get("/health").await?.status.is_success(), "the server is gone");
    Ok(())
}

/// Everything is as if nothing had been.
async fn goes_on(
    installation: &Installation,
    (busy, chat, idle): (Session, Chat, Session),
) -> anyhow::Result<()> {
    until_ready(&installation.api(KEY), true).await?;
    let frames = soon("the end of the turn", chat.rest()).await?;
    ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
    let events = journal(&busy).await?;
    let is_streamed =
        |event: &&serde_json::Value| event["text"].as_str().is_some_and(|text| text.len() == 20);
    let streamed = of_type(&events, "text_delta").filter(is_streamed).count();
    ensure!(streamed == DELTAS, "{streamed} of {DELTAS} events were kept");
    let events = journal(&idle).await?;
    let refused =
        of_type(&events, "turn_started").filter(|event| event.to_string().contains("hello?")).count();
    ensure!(refused == 0, "what was refused ran");
    for session in [busy, idle] {
        ensure!(session.delete().await?.status.is_success(), "it cannot be removed");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_with_a_reason_loses_nothing_and_recovers() -> anyhow::Result<()> {
    let plan = Plan { wrapper: small_disk(8), ..Plan::on(Provider::Process) };
    Box::pin(Installation::with(plan, async |installation| {
        let working = working(installation).await?;
        let filler = fill_disk(installation)?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        std::fs::remove_file(&filler)?;
        goes_on(installation, working).await
    }))
    .await
}

#[tokio::test]
async fn a_locked_database_refuses_with_a_reason_loses_nothing_and_recovers() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let working = working(installation).await?;
        let locked = Locked::database(installation).await?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        locked.unlock().await?;
        goes_on(installation, working).await
    }))
    .await
}

#[tokio::test]
async fn a_restart_of_postgresql_loses_nothing() -> anyhow::Result<()> {
    let mut postgres = Postgres::start().await?;
    let url = postgres.url();
    let plan = Plan::on(Provider::Process).with(&["--database-url", &url]);
    Box::pin(Installation::with(plan, async |installation| {
        let working = working(installation).await?;
        postgres.stop().await?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        postgres.run().await?;
        goes_on(installation, working).await
    }))
    .await
}
