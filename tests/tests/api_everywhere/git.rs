//! Git.

use agcluster_core::conformance::Outcome;
use agcluster_tests::git_host;
use anyhow::{Context, ensure};
use serde_json::json;

use crate::place::{Place, TOKEN, get, post, put, refused};

pub(crate) async fn a_repository_is_cloned_changed_and_pushed(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (bare, url) = place.repository("private-app.git").await?;
    let credentials = json!({ "token": TOKEN });
    let launch =
        json!({ "config_id": "scripted", "repo": url, "repo_path": "app", "git_credentials": credentials });
    let (api, session) = (&place.api, place.api.launch_with(launch).await?);
    let at = |route: &str| format!("/api/agents/{}/git/{route}", session.id);
    let found = get(api, &at("repositories")).await?;
    ensure!(found["count"] == 1 && found["repositories"][0]["path"] == "/workspace/app", "{found}");

    let create = json!({ "path": "app", "action": "create", "name": "feature", "switch": true });
    ensure!(post(api, &at("branch"), create).await?["current"] == "feature");
    put(api, &format!("/api/files/{}/app/README.md", session.id), "# Hello\nmore\n").await?;
    let status = get(api, &at("status?path=app")).await?;
    ensure!(status["clean"] == false && status["files"][0]["worktree"] == "modified", "{status}");
    let diff = get(api, &at("diff?path=app")).await?;
    let lines = &diff["files"][0]["hunks"][0]["lines"];
    ensure!(diff["files"][0]["additions"] == 1 && lines.to_string().contains("more"), "{diff}");
    let author = json!({ "name": "Ada", "email": "ada@example.com" });
    let commit = json!({ "path": "app", "message": "say more", "all": true, "author": author });
    let made = post(api, &at("commit"), commit).await?;
    let log = get(api, &at("log?path=app&limit=1")).await?;
    ensure!(
        log["commits"][0]["subject"] == "say more" && log["commits"][0]["hash"] == made["commit"],
        "{log}"
    );

    let push = json!({ "path": "app", "url": url, "credentials": credentials });
    post(api, &at("push"), push).await?;
    let pushed = git_host::git(&bare, &["rev-parse", "feature"]).await?;
    ensure!(pushed == made["commit"].as_str().context("a commit has a name")?, "{pushed} {made}");
    refused(&api.get(&at("log?path=app&ref=nowhere")).await?, 404, "git_ref_not_found")?;
    refused(&api.get(&at("status")).await?, 404, "git_not_a_repository")?;
    Ok(Outcome::Passed)
}
