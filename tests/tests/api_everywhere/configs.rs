//! Configurations of the caller's own.

use agcluster_core::conformance::Outcome;
use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::place::{Place, fine, get, post, refused};

pub(crate) async fn a_configuration_is_tried_saved_launched_changed_and_removed(
    place: &Place<'_>,
) -> anyhow::Result<Outcome> {
    let api = &place.api;
    let mut config = json!({ "id": "mine", "name": "Mine", "driver": "scripted", "env": { "LAMP": "lit" },
                                "files": { "docs/welcome.md": "hello" } });
    let tried = post(api, "/api/configs/validate", config.clone()).await?;
    ensure!(tried["valid"] == true, "{tried}");
    refused(&api.get("/api/configs/mine").await?, 404, "config_not_found")?;
    post(api, "/api/configs", config.clone()).await?;
    refused(&api.post("/api/configs", config.clone()).await?, 409, "config_exists")?;

    let session = api.launch_with(json!({ "config_id": "mine" })).await?;
    let told = get(api, &format!("/api/agents/{}/env/LAMP", session.id)).await?;
    ensure!(told == json!({ "LAMP": true }), "{told}");
    let seeded = get(api, &format!("/api/files/{}/docs/welcome.md", session.id)).await?;
    ensure!(seeded["content"] == "hello", "{seeded}");
    // The agent owns what was put there, and its folder.
    let command = json!({ "command": ["sh", "-c", "test -O docs && test -O docs/welcome.md && echo more >> docs/welcome.md"] });
    let exec = api.request(Method::POST, &format!("/api/agents/{}/exec", session.id));
    let owned = fine(api.send(exec.header("accept", "application/json").json(&command)).await?)?;
    ensure!(owned["exit_code"] == 0, "{owned}");
    config["name"] = "Changed".into();
    fine(api.send(api.request(Method::PUT, "/api/configs/mine").json(&config)).await?)?;
    ensure!(get(api, "/api/configs/mine").await?["name"] == "Changed");
    let removed = api.request(Method::DELETE, "/api/configs/mine").send().await?;
    ensure!(removed.status().is_success(), "{}", removed.status());
    refused(&api.get("/api/configs/mine").await?, 404, "config_not_found")?;
    Ok(Outcome::Passed)
}
