//! Turns as jobs, and what waits for an answer in them.

use agcluster_core::conformance::Outcome;
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::place::{Place, frames, get, post, refused, stream};

pub(crate) async fn a_turn_is_a_job_that_can_be_followed_and_cancelled(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let chat = format!("/api/agents/{}/chat", session.id);
    let begin = async |message: &str| -> anyhow::Result<String> {
        let job = post(api, &chat, json!({ "message": message, "background": true })).await?;
        Ok(format!("/api/jobs/{}", job["job_id"].as_str().context("a job has an id")?))
    };
    let first = begin("@@say done").await?;
    let events = frames(api.request(Method::GET, &format!("{first}/stream?after=0"))).await?;
    ensure!(events.last().is_some_and(|event| event["type"] == "turn_ended"), "{events:?}");
    let ended = get(api, &first).await?;
    ensure!(ended["status"] == "completed" && ended["result"] == "done", "{ended}");

    let second = begin("@@say begun\n@@hang").await?;
    let mut live = stream(api.request(Method::GET, &format!("{second}/stream?after=0"))).await?;
    live.until("text").await?;
    post(api, &format!("{second}/cancel"), json!({})).await?;
    let end = live.until("turn_ended").await?;
    ensure!(end.data["outcome"] == "interrupted", "{end:?}");
    refused(&api.post(&format!("{second}/cancel"), json!({})).await?, 409, "job_ended")?;
    let list = get(api, "/api/jobs").await?;
    ensure!(list["jobs"].as_array().is_some_and(|jobs| jobs.len() == 2), "{list}");
    Ok(Outcome::Passed)
}

/// The one thing that waits for the caller's answer.
async fn waiting(place: &Place<'_>) -> anyhow::Result<(String, Value)> {
    let list = get(&place.api, "/api/approvals").await?;
    ensure!(list["total"] == 1, "{list}");
    let approval = list["approvals"][0].clone();
    Ok((format!("/api/approvals/{}", approval["id"].as_str().context("an approval has an id")?), approval))
}

pub(crate) async fn an_approval_is_answered_once(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let mut chat = session.chat("@@permission Bash {\"command\": \"touch x\"}\n@@say done").await?;
    chat.until("permission_requested").await?;
    let (path, approval) = waiting(place).await?;
    ensure!(approval["tool"] == "Bash" && approval["session_id"] == session.id.as_str(), "{approval}");
    let allow = json!({ "decision": "allow", "input": { "command": "touch y" }, "reason": "y is free" });
    let allowed = post(api, &path, allow.clone()).await?;
    let result = chat.until("tool_complete").await?;
    ensure!(result.data["data"]["output"] == "done with {\"command\":\"touch y\"}", "{result:?}");
    chat.rest().await?;
    ensure!(post(api, &path, allow).await? == allowed, "the same answer again is the same");
    refused(&api.post(&path, json!({ "decision": "deny" })).await?, 409, "approval_answered")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn a_question_is_answered(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let mut chat = session.chat("@@ask Which colour? | Red | Blue").await?;
    chat.until("question_asked").await?;
    let (path, question) = waiting(place).await?;
    ensure!(question["kind"] == "question", "{question}");
    let answers = json!({ "decision": "answers", "answers": { "Which colour?": "Blue" } });
    ensure!(post(api, &path, answers).await?["status"] == "answered");
    let said = chat.until("content").await?;
    ensure!(said.data["data"]["content"] == "Blue", "{said:?}");
    chat.rest().await?;
    Ok(Outcome::Passed)
}
