//! Containers, agent programs and agent servers that end or stand still.

use std::time::Duration;

use agcluster_tests::model_api::ModelApi;
use agcluster_tests::system::{Chat, Installation, Plan, Provider, Session};
use agcluster_tests::trouble::{container, kill_claude, signal};
use anyhow::{Context, ensure};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::json;

use super::{deltas, journal, of_type, scripted, soon, until_status, whole_journal};

/// How long an agent server stands still.
const STILL: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_killed_container_is_said_and_a_restart_goes_on_with_the_conversation() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = scripted(installation).await?;
        session.ask("My word is PINEAPPLE.").await?;
        let mut chat = session.chat("@@say begun\n@@hang").await?;
        deltas(&mut chat, 1).await?;
        signal(installation, &container(installation, &session.id).await?, Signal::KILL).await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        let last = frames.last().context("no frames")?;
        ensure!(last.data["code"] == "container_lost", "{:?}", last.data);
        until_status(&session, "failed").await?;
        let look = session.get().await?.body;
        let reason = look["reason"].as_str().unwrap_or_default();
        ensure!(look["status"] == "failed" && reason.contains("its container"), "{look}");
        let refused = session.ask("hello?").await?;
        ensure!(refused.status == StatusCode::CONFLICT, "{}", refused.body);

        let restarted = session.post("restart", json!({})).await?;
        ensure!(restarted.status == StatusCode::OK, "{}", restarted.body);
        let recalled = session.ask("@@recall").await?.body;
        ensure!(recalled.to_string().contains("PINEAPPLE"), "{recalled}");
        ensure!(session.get().await?.body["generation"] == 2, "it is no new container");
        let events = journal(&session).await?;
        let failed = of_type(&events, "turn_ended").filter(|end| end["outcome"] == "failed").count();
        ensure!(failed == 1, "{failed} turns failed");
        session.delete().await?;
        Ok(())
    }))
    .await
}

/// A session with Claude, whose conversation and workspace hold a word each.
async fn with_words(installation: &Installation) -> anyhow::Result<Session> {
    let config = json!({ "allowed_tools": ["Bash"], "permission_mode": "acceptEdits" });
    let session = installation.api(super::KEY).launch(config).await?;
    session.ask("@@bash echo WALNUT > word\n@@text I remember the word PINEAPPLE.").await?;
    Ok(session)
}

/// A turn that the model does not finish.
async fn unfinished(installation: &Installation, session: &Session) -> anyhow::Result<Chat> {
    let chat = session.chat("@@gate never This is not read to its end.").await?;
    soon("the gate", async {
        installation.model().reached("never").await;
        Ok(())
    })
    .await?;
    Ok(chat)
}

/// Whether the last conversation that the model saw has this word.
fn remembers(model: &ModelApi, word: &str) -> bool {
    let last = model.requests().into_iter().rev().find(|request| request.is_messages());
    last.is_some_and(|request| request.json().to_string().contains(word))
}

/// One turn failed, for this reason, and every turn ended once.
async fn failed_once(session: &Session, reason: &str) -> anyhow::Result<()> {
    let events = whole_journal(session, "@@text the end").await?;
    let failed: Vec<_> = of_type(&events, "turn_ended").filter(|end| end["outcome"] == "failed").collect();
    ensure!(failed.len() == 1 && failed[0]["reason"] == reason, "{failed:?}");
    Ok(())
}

#[tokio::test]
async fn a_killed_container_keeps_claudes_conversation_and_the_workspace() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = with_words(installation).await?;
        let chat = unfinished(installation, &session).await?;
        signal(installation, &container(installation, &session.id).await?, Signal::KILL).await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["code"] == "container_lost"), "{frames:?}");
        until_status(&session, "failed").await?;
        installation.model().open("never");
        let restarted = session.post("restart", json!({})).await?;
        ensure!(
            (restarted.status, &restarted.body["generation"]) == (StatusCode::OK, &json!(2)),
            "{restarted:?}"
        );
        let again = soon("the next turn", session.ask("@@bash cat word\n@@text Here I am.")).await?;
        ensure!(again.body["content"] == "Here I am.", "{}", again.body);
        ensure!(again.body["tools"].to_string().contains("WALNUT"), "the workspace was lost: {}", again.body);
        ensure!(remembers(installation.model(), "PINEAPPLE"), "the conversation was lost");
        failed_once(&session, "container_lost").await?;
        session.delete().await?;
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_killed_agent_program_is_started_again_and_its_turn_fails_once() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = with_words(installation).await?;
        let chat = unfinished(installation, &session).await?;
        let killed = kill_claude(installation, &container(installation, &session.id).await?).await?;
        ensure!(killed, "no program was killed");
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["code"] == "agent_exited"), "{frames:?}");
        installation.model().open("never");
        let again = soon("the next turn", session.ask("@@text Here I am.")).await?;
        ensure!(again.body["content"] == "Here I am.", "{}", again.body);
        ensure!(remembers(installation.model(), "PINEAPPLE"), "the conversation was lost");
        let look = session.get().await?.body;
        ensure!(look["status"] == "running" && look["generation"] == 1, "{look}");
        failed_once(&session, "agent_exited").await?;
        session.delete().await?;
        Ok(())
    }))
    .await
}

/// Nobody keeps the key of the model API: whoever has it brings it.
#[tokio::test]
async fn a_session_that_needs_its_key_after_a_kill_of_the_server_gets_it_with_the_next_call()
-> anyhow::Result<()> {
    let stops = ["--session-idle-timeout=1", "--session-cleanup-interval=1", "--session-idle-action=stop"];
    Box::pin(Installation::with(Plan::on(Provider::Process).with(&stops), async |installation| {
        let session = with_words(installation).await?;
        until_status(&session, "sleeping").await?;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        let listed = installation.api(super::KEY).get("/api/agents/sessions").await?.body;
        let listed = &listed["sessions"][0];
        ensure!(listed["credentials_required"] == "the key of its model API", "{listed}");
        let stranger = installation.api("another-key").session(&session.id).ask("hello?").await?;
        ensure!(stranger.status == StatusCode::NOT_FOUND, "{}", stranger.body);
        let again = soon("the next turn", session.ask("@@bash cat word\n@@text Here I am.")).await?;
        ensure!(again.body["content"] == "Here I am.", "{}", again.body);
        ensure!(again.body["tools"].to_string().contains("WALNUT"), "the workspace was lost: {}", again.body);
        ensure!(remembers(installation.model(), "PINEAPPLE"), "the conversation was lost");
        session.delete().await?;
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn an_agent_server_that_stands_still_loses_nothing() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let session = scripted(installation).await?;
        let mut chat = session.chat("@@stream 150 every 20ms of 20 bytes").await?;
        deltas(&mut chat, 10).await?;
        let container = container(installation, &session.id).await?;
        signal(installation, &container, Signal::STOP).await?;
        tokio::time::sleep(STILL).await;
        // It is only still: nothing is given up yet.
        ensure!(session.get().await?.body["status"] == "running", "it was given up");
        signal(installation, &container, Signal::CONT).await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
        let events = journal(&session).await?;
        let streamed = of_type(&events, "text_delta")
            .filter(|event| event["text"].as_str().is_some_and(|text| text.len() == 20));
        ensure!(streamed.count() == 150, "events were lost");
        session.delete().await?;
        Ok(())
    }))
    .await
}
