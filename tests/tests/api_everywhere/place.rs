//! Where a case happens.

use agcluster_tests::git_host::GitHost;
use agcluster_tests::ground::Provider;
use agcluster_tests::system::{Answer, Api, Chat, Session, System};
use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// What opens the private repositories, and changes any.
pub(crate) const TOKEN: &str = "ghp-everywhere-5d21";
/// The agent whose name clients give.
pub(crate) const SCRIPTED: &str =
    "{id: scripted, name: Scripted, driver: scripted, env: {GREETING: hush-hush}}";

/// A system that all cases of a provider share, and a key that is one case's own.
pub(crate) struct Place<'a> {
    pub(crate) api: Api,
    system: &'a System,
    repositories: &'a GitHost,
    host: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn new(system: &'a System, repositories: &'a GitHost, host: &'a str, case: &str) -> Self {
        Self { api: system.api(&format!("key-of-{case}")), system, repositories, host }
    }

    pub(crate) fn provider(&self) -> Provider {
        self.system.provider()
    }

    /// What the provider says it can.
    pub(crate) async fn capabilities(&self) -> anyhow::Result<Value> {
        let body = get(&self.api, "/api/providers").await?;
        let providers = body["providers"].as_array().context("providers are a list")?;
        let own = providers.iter().find(|provider| provider["name"] == self.provider().name());
        Ok(own.context("the provider is not listed")?["capabilities"].clone())
    }

    /// Makes a repository, and gives its folder and the URL for agents.
    pub(crate) async fn repository(&self, name: &str) -> anyhow::Result<(std::path::PathBuf, String)> {
        Ok((self.repositories.make(name).await?, self.repositories.url(self.host, name)))
    }

    /// Launches the scripted agent.
    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        self.api.launch_with(json!({ "config_id": "scripted" })).await
    }

    /// Removes every session of the case.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        let body = get(&self.api, "/api/agents/sessions").await?;
        for session in body["sessions"].as_array().context("sessions are a list")? {
            let id = session["session_id"].as_str().context("a session has an id")?;
            fine(self.api.session(id).delete().await?)?;
        }
        Ok(())
    }
}

/// The body of an answer that is one.
pub(crate) fn fine(answer: Answer) -> anyhow::Result<Value> {
    ensure!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// Holds a refusal against what it must be.
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) -> anyhow::Result<()> {
    let is = (answer.status.as_u16(), answer.code()) == (status, code);
    ensure!(is, "it should be {status} {code}, and is {}: {}", answer.status, answer.body);
    Ok(())
}

pub(crate) async fn get(api: &Api, path: &str) -> anyhow::Result<Value> {
    fine(api.get(path).await?).with_context(|| format!("GET {path}"))
}

pub(crate) async fn post(api: &Api, path: &str, body: Value) -> anyhow::Result<Value> {
    fine(api.post(path, body).await?).with_context(|| format!("POST {path}"))
}

pub(crate) async fn put(api: &Api, path: &str, content: &str) -> anyhow::Result<Value> {
    let request = api.request(Method::PUT, path).body(content.to_owned());
    fine(api.send(request).await?).with_context(|| format!("PUT {path}"))
}

/// The frames of an answer that streams.
pub(crate) async fn stream(request: RequestBuilder) -> anyhow::Result<Chat> {
    let response = request.header("accept", "text/event-stream").send().await?;
    let status = response.status();
    if status != StatusCode::OK {
        anyhow::bail!("{status}: {}", response.text().await?);
    }
    Ok(Chat::new(response))
}

/// The data of all frames of a stream that ends.
pub(crate) async fn frames(request: RequestBuilder) -> anyhow::Result<Vec<Value>> {
    let mut stream = stream(request).await?;
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await? {
        frames.push(frame.data);
    }
    Ok(frames)
}
