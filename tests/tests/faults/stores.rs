//! Databases that cannot be written for a while: what was begun goes on and loses nothing, what would begin is refused with a
//! reason, and all is well again by itself.

use std::time::Duration;

use agcluster_tests::postgres::Postgres;
use agcluster_tests::system::{Chat, Installation, Plan, Provider, Session};
use agcluster_tests::trouble::{Locked, container, fill_disk, small_disk};
use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::json;

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

/// Says why it takes nothing new now, and changes nothing.
async fn refuses(installation: &Installation, busy: &Session, idle: &Session) -> anyhow::Result<()> {
    let asked = soon("a refusal", idle.ask("hello?")).await?;
    let removed = soon("a refusal", idle.delete()).await?;
    let removed_at_work = soon("a refusal", busy.delete()).await?;
    let restarted = soon("a refusal", busy.post("restart", json!({}))).await?;
    for refused in [asked, removed, removed_at_work, restarted] {
        ensure!(
            refused.status == StatusCode::SERVICE_UNAVAILABLE && refused.code() == "store_unavailable",
            "{} {}",
            refused.status,
            refused.body
        );
        ensure!(refused.headers.contains_key("retry-after"), "it does not say when to come back");
    }
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
        refuses(installation, &working.0, &working.2).await?;
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
        refuses(installation, &working.0, &working.2).await?;
        locked.unlock().await?;
        goes_on(installation, working).await
    }))
    .await
}

#[tokio::test]
async fn an_answer_that_a_locked_database_takes_too_late_reaches_the_agent_all_the_same() -> anyhow::Result<()>
{
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let session = scripted(installation).await?;
        let chat = session.chat("@@gate go\n@@say it went").await?;
        let mut events = session.events(0).await?;
        soon("the question", events.until("question_asked")).await?;
        drop(events);
        let locked = Locked::database(installation).await?;
        let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
        let late = soon("an answer", session.post("answer", answer.clone())).await?;
        ensure!(late.status == StatusCode::SERVICE_UNAVAILABLE, "{} {}", late.status, late.body);
        locked.unlock().await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
        let events = journal(&session).await?;
        let answers = of_type(&events, "request_answered").count();
        ensure!(answers == 1, "it was written down {answers} times");
        ensure!(session.delete().await?.status.is_success(), "it cannot be removed");
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_removal_that_a_locked_database_takes_too_late_is_made_as_soon_as_it_can_be() -> anyhow::Result<()>
{
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let (busy, chat, idle) = working(installation).await?;
        let locked = Locked::database(installation).await?;
        let late = soon("a removal", busy.delete()).await?;
        ensure!(late.code() == "store_unavailable", "{} {}", late.status, late.body);
        ensure!(busy.get().await?.status.is_success(), "what is not removed is not known");
        locked.unlock().await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["type"] == "error"), "{:?}", frames.last());
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        soon("the end of the session", async {
            while busy.get().await?.status != StatusCode::NOT_FOUND {
                looks.tick().await;
            }
            Ok(())
        })
        .await?;
        ensure!(container(installation, &busy.id).await.is_err(), "its container is there yet");
        ensure!(idle.delete().await?.status.is_success(), "it cannot be removed");
        Ok(())
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
        refuses(installation, &working.0, &working.2).await?;
        postgres.run().await?;
        goes_on(installation, working).await
    }))
    .await
}
