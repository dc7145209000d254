//! The OpenAI- and the Anthropic-compatible API over HTTP, with the scripted agent.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod chat;
mod documents;
mod helpers;
mod lasting;
mod messages;
mod models;
mod official;
mod order;
mod refusals;
mod responses;
mod resumed;
mod sessions;
mod usage;

use agcluster_tests::system::{Answer, Api, Provider, Session, System};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const SCRIPTED: &str = "{id: scripted, name: Scripted, driver: scripted}";

/// A system with two scripted agents.
async fn system() -> System {
    system_on(Provider::Memory).await
}

async fn system_on(provider: Provider) -> System {
    let system = System::start(provider).await.unwrap();
    let folder = system.agent_configs();
    std::fs::write(folder.join("scripted.yaml"), SCRIPTED).unwrap();
    std::fs::write(folder.join("second.yaml"), SCRIPTED.replace("scripted, name", "second, name")).unwrap();
    system.configs().files().reload().await;
    system
}

/// The key of requests to the real agent; no other is sent to the model API.
const KEY: &str = "sk-ant-test-6f1c9e0b7a";
const CODER: &str =
    "{id: coder, name: Coder, allowed_tools: [Bash], permission_mode: acceptEdits, model: claude-sonnet-4-5}";

/// A system with one real agent.
async fn coder(provider: Provider) -> System {
    let system = System::start(provider).await.unwrap();
    std::fs::write(system.agent_configs().join("coder.yaml"), CODER).unwrap();
    system.configs().files().reload().await;
    system
}

/// What a client asks a model called `scripted` with one message.
fn ask(text: &str) -> Value {
    json!({ "model": "scripted", "messages": [{ "role": "user", "content": text }] })
}

/// The same, waiting for its turn.
fn queue(text: &str) -> Value {
    let mut body = ask(text);
    body["queue"] = true.into();
    body
}

fn post(api: &Api, path: &str, headers: &[(&str, &str)], body: &Value) -> RequestBuilder {
    let request = api.request(Method::POST, path).json(body);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

async fn send(api: &Api, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    api.send(post(api, path, headers, &body)).await.unwrap()
}

/// Status, type and code of an error.
fn error(answer: &Answer) -> (u16, &str, &str) {
    let text = |name: &str| answer.body["error"][name].as_str().unwrap_or_default();
    (answer.status.as_u16(), text("type"), text("code"))
}

/// What the agent said in a chat completion.
fn said(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["choices"][0]["message"]["content"].as_str().unwrap()
}

/// The session that an answer is of.
fn session_of(answer: &Answer) -> String {
    answer.headers["x-session-id"].to_str().unwrap().to_owned()
}

/// The data of all frames of a stream.
async fn frames(request: RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
}

async fn scripted(api: &Api) -> Session {
    api.launch(json!({ "driver": "scripted" })).await.unwrap()
}

/// The caller's sessions.
async fn sessions(api: &Api) -> Vec<Value> {
    api.get("/api/agents/sessions").await.unwrap().body["sessions"].as_array().unwrap().clone()
}

/// Waits until the caller has no session any more.
async fn none_left(api: &Api) {
    while !sessions(api).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

/// What users have said in a session, in order.
async fn prompts(api: &Api, session: &str) -> Vec<String> {
    let messages = api.get(&format!("/api/agents/{session}/messages")).await.unwrap().body;
    let messages = messages["messages"].as_array().unwrap().clone();
    let of_user = messages.into_iter().filter(|message| message["role"] == "user");
    let text = |message: Value| {
        let blocks = message["blocks"].as_array().unwrap().clone();
        let texts = blocks.iter().map(|block| block["text"].as_str().unwrap_or("[picture]"));
        texts.collect::<Vec<_>>().join("\n---\n")
    };
    of_user.map(text).collect()
}

/// Sends in a task of its own.
trait SendLater {
    fn send_later(self, request: RequestBuilder) -> impl Future<Output = Answer> + Send;
}

impl SendLater for Api {
    async fn send_later(self, request: RequestBuilder) -> Answer {
        self.send(request).await.unwrap()
    }
}
