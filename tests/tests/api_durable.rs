//! What lasts, over HTTP: streams that go on where they broke, jobs, repeated requests, transcripts, restarts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "api_durable/failing_store.rs"]
mod failing_store;
#[path = "api_durable/jobs.rs"]
mod jobs;
#[path = "api_durable/messages.rs"]
mod messages;
#[path = "api_durable/repeated.rs"]
mod repeated;
#[path = "api_durable/restarted.rs"]
mod restarted;
#[path = "api_durable/resting.rs"]
mod resting;
#[path = "api_durable/resumed.rs"]
mod resumed;

use agcluster_tests::system::{Answer, Api, Provider, Session, System};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn system() -> System {
    System::start(Provider::Memory).await.unwrap()
}

async fn scripted(api: &Api) -> Session {
    api.launch(json!({ "driver": "scripted" })).await.unwrap()
}

/// Sends a message with these fields and headers besides, and takes a JSON answer.
async fn send(api: &Api, session: &Session, headers: &[(&str, &str)], body: Value) -> Answer {
    let mut request = api.request(Method::POST, &format!("/api/agents/{}/chat", session.id));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.header("accept", "application/json").json(&body)).await.unwrap()
}

/// Sends a message as a job and gives its id.
async fn job(api: &Api, session: &Session, message: &str) -> String {
    let body = json!({ "message": message, "background": true, "queue": true });
    let answer = send(api, session, &[], body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    answer.body["job_id"].as_str().unwrap().to_owned()
}

/// Reads a stream to its end.
async fn text(api: &Api, path: &str) -> (StatusCode, String) {
    let response = api.request(Method::GET, path).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// The terminal event of a job, waited for in its stream, whatever of that is kept.
async fn end_of(api: &Api, job: &str) -> Value {
    let mut path = format!("/api/jobs/{job}/stream");
    loop {
        let (status, text) = text(api, &path).await;
        assert!([StatusCode::OK, StatusCode::GONE].contains(&status), "{text}");
        let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap_or(&text);
        let last: Value = serde_json::from_str(last).unwrap();
        match last["earliest"].as_u64() {
            Some(earliest) => path = format!("/api/jobs/{job}/stream?after={}", earliest - 1),
            None => {
                assert_eq!(last["type"], "turn_ended", "{last}");
                return last;
            }
        }
    }
}

/// What came of a job, once it has ended.
async fn result_of(api: &Api, job: &str) -> Value {
    end_of(api, job).await;
    api.get(&format!("/api/jobs/{job}")).await.unwrap().body["result"].clone()
}

/// Opens a gate that a turn waits at, once it does.
async fn open_gate(session: &Session, gate: &str) {
    session.events(0).await.unwrap().until("question_asked").await.unwrap();
    let answer = json!({ "request_id": gate, "decision": "answers", "answers": {} });
    assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}
