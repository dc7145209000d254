//! The earlier agent server's API.

use agcluster_core::conformance::Outcome;
use agcluster_tests::form::Form;
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{Place, fine, frames, get, post, refused, stream};

fn prompt(session: &str, prompt: &str) -> Value {
    json!({ "session_id": session, "prompt": prompt, "agent": "scripted" })
}

pub(crate) async fn prompts_of_earlier_clients_are_answered_followed_and_stopped(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let (api, uuid) = (&place.api, Uuid::new_v4().to_string());
    let told = frames(api.request(Method::POST, "/generate/v2").json(&prompt(&uuid, "@@say hello"))).await?;
    ensure!(told.iter().any(|message| message["message"]["content"][0]["text"] == "hello"), "{told:?}");
    ensure!(told.last() == Some(&json!({ "done": true })), "{told:?}");
    let mut background = prompt(&uuid, "@@say first\n@@hang");
    background["background"] = true.into();
    let job = post(api, "/generate/v2", background).await?;
    let job = format!("/generate/v2/jobs/{}", job["taskId"].as_str().context("a job has an id")?);
    let mut live = stream(api.request(Method::GET, &format!("{job}/stream"))).await?;
    live.until("assistant").await?;
    ensure!(fine(api.delete(&format!("/generate/{uuid}/stop")).await?)?["stopped"] == true);
    while live.next().await?.is_some() {}
    ensure!(get(api, &job).await?["status"] == "cancelled");

    let path = format!("/sessions/{uuid}");
    let rename = api.request(Method::PUT, &path).json(&json!({ "name": "Tidy up" }));
    ensure!(fine(api.send(rename).await?)?["name"] == "Tidy up");
    let list = get(api, "/sessions").await?;
    ensure!(list["count"] == 1 && list["sessions"][0]["id"] == uuid.as_str(), "{list}");
    let messages = get(api, &format!("{path}/messages")).await?;
    // What the stream had, but for what only ends a stream.
    let begins = |all: &Vec<Value>| all.starts_with(&told[..told.len() - 1]);
    ensure!(messages["messages"].as_array().is_some_and(begins), "{messages}");
    fine(api.delete(&path).await?)?;
    refused(&api.get(&format!("{path}/messages")).await?, 404, "session_not_found")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn the_workspace_of_earlier_clients_is_the_session_s(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let api = &place.api;
    let made = post(api, "/sessions", json!({ "agent": "scripted" })).await?;
    let uuid = made["id"].as_str().context("a session has an id")?;
    let upload = api.request(Method::POST, "/sessions/filesystem/upload?targetPath=app");
    let stored = fine(api.send(Form::of(&[("src/main.rs", "fn main() {}")]).on(upload)).await?)?;
    ensure!(stored["files"][0]["path"] == "/workspace/app/src/main.rs", "{stored}");
    let found = get(api, "/sessions/filesystem/search?path=app%20rs").await?;
    ensure!(found["count"] == 1, "{found}");
    let listed = get(api, "/sessions/filesystem/files?path=/workspace/app").await?;
    ensure!(listed["count"] == 2, "{listed}");
    ensure!(get(api, "/git/repositories").await?["count"] == 0);
    refused(&api.get("/git/diff?path=app").await?, 404, "git_not_a_repository")?;
    ensure!(get(api, "/env/GREETING").await? == json!({ "GREETING": true }));
    let token = post(api, "/terminal/token", json!({ "deploymentId": uuid })).await?;
    ensure!(token["token"].is_string() && token["terminalId"] == "main", "{token}");
    Ok(Outcome::Passed)
}
