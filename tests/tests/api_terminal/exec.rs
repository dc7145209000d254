//! Commands.

use agcluster_tests::system::{Api, Session};
use reqwest::Method;
use serde_json::{Value, json};

use super::{scripted, soon, system};

/// Runs a command and gives its events, by name and data.
async fn events(api: &Api, session: &Session, body: Value) -> Vec<(String, Value)> {
    let request = api.request(Method::POST, &format!("/api/agents/{}/exec", session.id));
    let response = request.header("accept", "text/event-stream").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = soon(response.text()).await.unwrap();
    let frames = text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    frames
        .map(|frame| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

fn joined(events: &[(String, Value)], name: &str) -> String {
    let own = events.iter().filter(|(event, _)| event == name);
    own.map(|(_, data)| data["data"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_command_streams_its_output_and_says_how_it_ended() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let script = "printf 'a-\\342\\202'; sleep 0.1; printf '\\254'; echo err >&2; cat; exit 7";
    let body = json!({ "command": ["sh", "-c", script], "stdin": "given", "env": { "A": "b" } });
    let events = events(&api, &session, body).await;
    assert_eq!(
        (joined(&events, "stdout").as_str(), joined(&events, "stderr").as_str()),
        ("a-€given", "err\n")
    );
    let (name, end) = events.last().unwrap();
    assert_eq!((name.as_str(), &end["exit_code"], &end["signal"]), ("exit", &json!(7), &Value::Null));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn one_document_holds_all_of_it_up_to_a_bound() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let run = async |body: Value| {
        let request = api.request(Method::POST, &format!("/api/agents/{}/exec", session.id));
        let request = request.header("accept", "application/json").json(&body);
        let answer = soon(api.send(request)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let body = run(json!({ "command": ["sh", "-c", "printf '\\377'; exit 2"], "encoding": "base64" })).await;
    assert_eq!(
        (&body["stdout"], &body["exit_code"], &body["truncated"]),
        (&json!("/w=="), &json!(2), &json!(false))
    );
    let body = run(json!({ "command": ["head", "-c", "3000000", "/dev/zero"] })).await;
    assert_eq!((body["stdout"].as_str().unwrap().len(), &body["truncated"]), (1 << 20, &json!(true)));
    let body = run(json!({ "command": ["sleep", "1000"], "timeout_seconds": 1 })).await;
    assert_eq!((&body["timed_out"], &body["signal"]), (&json!(true), &json!(9)));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_ends_when_its_client_goes_away() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let request = api.request(Method::POST, &format!("/api/agents/{}/exec", session.id));
    let command = json!({ "command": ["sh", "-c", "echo $$; sleep 1000; echo never"] });
    let mut response = request.json(&command).send().await.unwrap();
    let mut text = String::new();
    let pid: u32 = loop {
        let piece = soon(response.chunk()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
        if let Some((_, data)) = text.split_once("\"data\":\"") {
            break data.split_once("\\n").unwrap().0.parse().unwrap();
        }
    };
    let process = format!("/proc/{pid}");
    assert!(std::fs::exists(&process).unwrap());
    drop(response);
    soon(async {
        while std::fs::exists(&process).unwrap() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    system.stop().await.unwrap();
}
