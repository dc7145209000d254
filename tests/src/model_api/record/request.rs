//! One recorded request and the questions tests ask of it.

use super::super::check::{key_of, tool_names};
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Instant;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered to the end, with this HTTP status.
    Answered(u16),
    /// The client closed the connection before the end of the answer.
    Disconnected,
    /// The script or the end of the server broke the answer off.
    Broken,
}

/// A request as it came, and what became of it.
#[derive(Debug)]
pub struct RecordedRequest {
    number: u64,
    received: Instant,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    outcome: OnceLock<Outcome>,
}

impl RecordedRequest {
    pub(super) fn new(number: u64, method: Method, path: String, headers: HeaderMap, body: Bytes) -> Self {
        Self { number, received: Instant::now(), method, path, headers, body, outcome: OnceLock::new() }
    }

    /// Whether this was the first word.
    pub(super) fn settle(&self, outcome: Outcome) -> bool {
        self.outcome.set(outcome).is_ok()
    }

    /// Counts from one in the order of arrival.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When the whole request was there.
    pub fn received(&self) -> Instant {
        self.received
    }

    /// HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Path with its query, as sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it asks for an answer of the model: `POST /v1/messages`.
    pub fn is_messages(&self) -> bool {
        self.method == Method::POST && self.path.split('?').next() == Some("/v1/messages")
    }

    /// Headers as sent, the API key among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header's value when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The API key it was sent with, from `x-api-key` or a bearer token.
    pub fn api_key(&self) -> Option<&str> {
        key_of(&self.headers)
    }

    /// The agent's session: Claude Code sends it as `X-Claude-Code-Session-Id`.
    pub fn session(&self) -> Option<&str> {
        self.header("x-claude-code-session-id")
    }

    /// The sub-agent it was sent for: Claude Code sends it as `X-Claude-Code-Agent-Id`.
    pub fn sub_agent(&self) -> Option<&str> {
        self.header("x-claude-code-agent-id")
    }

    /// The body as sent.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Names of the tools it offers, in its order.
    pub fn tools(&self) -> Vec<String> {
        tool_names(&self.json()).map(str::to_owned).collect()
    }

    /// The system prompt, its blocks joined by line ends, without what stands in messages of role `system`.
    pub fn system_text(&self) -> String {
        texts(&self.json()["system"]).join("\n")
    }

    /// Every text that the user's messages hold, in order.
    pub fn user_texts(&self) -> Vec<String> {
        let body = self.json();
        let messages = body["messages"].as_array().into_iter().flatten();
        messages
            .filter(|message| message["role"] == "user")
            .flat_map(|message| texts(&message["content"]))
            .collect()
    }

    /// The `tool_result` blocks of the last message of the user, as sent.
    pub fn tool_results(&self) -> Vec<Value> {
        let body = self.json();
        let mut messages = body["messages"].as_array().into_iter().flatten();
        let last = messages.rfind(|message| message["role"] == "user");
        let blocks = last.and_then(|message| message["content"].as_array()).into_iter().flatten();
        blocks.filter(|block| block["type"] == "tool_result").cloned().collect()
    }

    /// What became of it; `None` while it is being answered.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.get().copied()
    }
}

/// The texts of a content, which is a string or blocks.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block["text"].as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}
