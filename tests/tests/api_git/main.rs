//! Git through the API: repositories from elsewhere and in the workspace, with credentials that no container keeps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cut_off;
mod launching;
mod remotes;
mod secrets;

use agcluster_tests::git_host::GitHost;
use agcluster_tests::system::{Answer, Api, Provider, Session, System};
use serde_json::{Value, json};

/// What opens the repositories.
const TOKEN: &str = "ghp-the-real-token-7f3a";

/// A system and a host of repositories that its agents can reach.
struct Ground {
    system: System,
    host: GitHost,
    name: String,
}

impl Ground {
    async fn on(provider: Provider) -> Self {
        let system = System::start_with(provider, &["--git-plain-http"]).await.unwrap();
        let name = system.host().await.unwrap();
        Self { system, host: GitHost::start(TOKEN).await.unwrap(), name }
    }

    fn api(&self) -> Api {
        self.system.api("key")
    }

    fn url(&self, repository: &str) -> String {
        self.host.url(&self.name, repository)
    }

    async fn stop(self) {
        self.system.stop().await.unwrap();
        self.host.stop().await.unwrap();
    }
}

fn credentials() -> Value {
    json!({ "username": "ada", "token": TOKEN })
}

/// A launch with a repository and further fields.
fn launch(url: &str, mut more: Value) -> Value {
    more["config"] = json!({ "driver": "scripted" });
    more["repo"] = url.into();
    more
}

async fn git(api: &Api, session: &Session, route: &str) -> Answer {
    api.get(&format!("/api/agents/{}/git/{route}", session.id)).await.unwrap()
}

async fn tell(api: &Api, session: &Session, route: &str, body: Value) -> Answer {
    api.post(&format!("/api/agents/{}/git/{route}", session.id), body).await.unwrap()
}

#[track_caller]
fn fine(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
    assert!(!answer.body.to_string().contains(TOKEN), "{}", answer.body);
}
