//! Commands in a container, and what it has, uses and says.

use std::time::Duration;

use agcluster_core::conformance::Outcome;
use agcluster_tests::ground::Provider;
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::place::{Place, fine, frames, get, refused, stream};

pub(crate) async fn a_command_streams_its_output_and_says_how_it_ended(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let path = format!("/api/agents/{}/exec", session.id);
    let command = ["sh", "-c", "pwd; cat; echo $A >&2; exit 7"];
    let body = json!({ "command": command, "stdin": "given", "env": { "A": "b" } });
    let events = frames(api.request(Method::POST, &path).json(&body)).await?;
    let output: String = events.iter().filter_map(|event| event["data"].as_str()).collect();
    ensure!(output.contains("given") && output.contains("b\n"), "{events:?}");
    ensure!(events.last().is_some_and(|end| end["exit_code"] == 7), "{events:?}");

    let body = json!({ "command": ["id", "-u"] });
    let whole = api.request(Method::POST, &path).header("accept", "application/json").json(&body);
    let whole = fine(api.send(whole).await?)?;
    ensure!(whole["exit_code"] == 0, "{whole}");
    // The agent's own user, wherever there is one.
    ensure!(place.provider() == Provider::Memory || whole["stdout"] == "1000\n", "{whole}");
    let none = api.post(&path, json!({ "command": ["/no/such/program"] })).await?;
    refused(&none, 422, "command_not_found")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn variables_are_told_to_be_there(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let told = get(api, &format!("/api/agents/{}/env/GREETING,MISSING", session.id)).await?;
    ensure!(told == json!({ "GREETING": true, "MISSING": false }), "{told}");
    let wrong = api.get(&format!("/api/agents/{}/env/lower", session.id)).await?;
    refused(&wrong, 400, "environment_name_invalid")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn what_a_container_uses_is_measured(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let path = format!("/api/resources/{}", session.id);
    let measured = match place.provider() {
        Provider::Memory => "nothing",
        Provider::Process => "process_tree",
        _ => "container",
    };
    let streamed = stream(api.request(Method::GET, &path)).await?.next().await?;
    for used in [get(api, &path).await?, streamed.map(|frame| frame.data).unwrap_or_default()] {
        ensure!(used["session_id"] == session.id.as_str() && used["measured"] == measured, "{used}");
        let memory = used["memory"]["used_bytes"].as_u64();
        ensure!(memory.is_some_and(|bytes| bytes > 1 << 20) == (measured != "nothing"), "{used}");
    }
    Ok(Outcome::Passed)
}

pub(crate) async fn what_a_container_wrote_is_streamed(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let path = format!("/api/agents/{}/logs?tail=5", session.id);
    if place.capabilities().await?["logs"] == Value::Null {
        refused(&api.get(&path).await?, 400, "provider_unsupported")?;
        return Ok(Outcome::NotClaimed);
    }
    // It comes to the platform's log a moment after it was written.
    let written = async {
        loop {
            let said = frames(api.request(Method::GET, &path)).await?;
            if said.iter().any(|event| event["stream"] == "stderr" || event["stream"] == "stdout") {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), written).await.context("nothing was written")??;
    Ok(Outcome::Passed)
}
