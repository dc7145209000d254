//! What people decide: what an agent may do, and what an agent is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod approvals;
mod approvals_in_time;
mod configs;
mod stream;

use agcluster_tests::system::{Answer, Api, Chat, Installation, Plan, Provider, Session, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn system() -> System {
    System::start(Provider::Memory).await.unwrap()
}

async fn scripted(api: &Api) -> Session {
    api.launch(json!({ "driver": "scripted" })).await.unwrap()
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}

/// What waits for the caller's answer.
async fn pending(api: &Api) -> Vec<Value> {
    let answer = api.get("/api/approvals").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let approvals = answer.body["approvals"].as_array().unwrap().clone();
    assert_eq!(answer.body["total"], approvals.len());
    approvals
}

fn path(approval: &Value) -> String {
    format!("/api/approvals/{}", approval["id"].as_str().unwrap())
}

/// Sends a message and gives its stream, once the agent asks something.
async fn asking(session: &Session, message: &str) -> Chat {
    let mut chat = session.chat(message).await.unwrap();
    loop {
        let frame = chat.next().await.unwrap().unwrap();
        if ["permission_requested", "question_asked"].contains(&frame.kind()) {
            return chat;
        }
    }
}
