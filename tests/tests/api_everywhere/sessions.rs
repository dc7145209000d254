//! Sessions and their streams.

use agcluster_core::conformance::Outcome;
use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::json;

use crate::place::{Place, fine, get, put, refused};

pub(crate) async fn a_session_is_launched_talked_to_and_removed(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let session = place.session().await?;
    ensure!(session.launched["provider"] == place.provider().name(), "{}", session.launched);
    let answer = fine(session.ask("@@think hm\n@@say hello").await?)?;
    ensure!(answer["content"] == "hello", "{answer}");
    let frames = session.chat("@@tool Bash {\"command\": \"ls\"} => a.txt\n@@say bye").await?.rest().await?;
    let kinds: Vec<_> = frames.iter().map(agcluster_tests::system::Frame::kind).collect();
    ensure!(kinds.contains(&"tool_complete") && kinds.last() == Some(&"complete"), "{kinds:?}");
    let messages = get(&place.api, &format!("/api/agents/{}/messages", session.id)).await?;
    ensure!(messages.to_string().contains("hello"), "{messages}");
    fine(session.delete().await?)?;
    refused(&session.get().await?, 404, "session_not_found")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn a_stream_goes_on_where_it_stopped(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let session = place.session().await?;
    let mut chat = session.chat("@@say one\n@@gate go\n@@say two").await?;
    let seen = chat.until("question_asked").await?.id.context("an event has a number")?;
    drop(chat);
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    fine(session.post("answer", answer).await?)?;
    let mut rest = session.events(seen).await?;
    let next = rest.next().await?.context("there is more")?;
    ensure!(next.id == Some(seen + 1), "{next:?}");
    ensure!(rest.until("text").await?.data["text"] == "two");
    rest.until("turn_ended").await?;
    Ok(Outcome::Passed)
}

/// Its files as well, unless the platform says that a stop loses them.
pub(crate) async fn a_restarted_session_has_its_conversation(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let session = place.session().await?;
    fine(session.ask("@@say before").await?)?;
    let file = format!("/api/files/{}/kept.txt", session.id);
    put(&place.api, &file, "kept").await?;
    let restarted = session.post("restart", json!({})).await?;
    ensure!(restarted.status == StatusCode::OK, "{}", restarted.body);
    let recalled = fine(session.ask("@@recall").await?)?;
    ensure!(recalled["content"].as_str().is_some_and(|text| text.contains("@@say before")), "{recalled}");
    if place.capabilities().await?["start"]["keeps_workspace"] == false {
        refused(&place.api.get(&file).await?, 404, "file_not_found")?;
    } else {
        let kept = get(&place.api, &file).await?;
        ensure!(kept["content"] == "kept", "{kept}");
    }
    Ok(Outcome::Passed)
}
