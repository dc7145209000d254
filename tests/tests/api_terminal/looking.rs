//! What a container uses, has and says.

use agcluster_tests::system::{Provider, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{scripted, soon, system};

#[tokio::test]
async fn where_nothing_can_be_measured_nothing_is_said() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let used = api.get(&format!("/api/resources/{}", session.id)).await.unwrap();
    assert_eq!(used.status, StatusCode::OK, "{}", used.body);
    assert_eq!((&used.body["session_id"], &used.body["measured"]), (&json!(session.id), &json!("nothing")));
    for part in ["cpu", "memory", "disk", "network", "processes"] {
        assert_eq!(used.body[part], Value::Null, "{part}");
    }
    let stranger = system.api("other").get(&format!("/api/resources/{}", session.id)).await.unwrap();
    assert_eq!(stranger.code(), "session_not_found");
    let wrong = api.get(&format!("/api/resources/{}/stream?interval=0", session.id)).await.unwrap();
    assert_eq!((wrong.status.as_u16(), wrong.code()), (400, "invalid_query"));
    let logs = api.get(&format!("/api/agents/{}/logs", session.id)).await.unwrap();
    assert_eq!((logs.status.as_u16(), logs.code()), (400, "provider_unsupported"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn variables_are_told_to_be_there_and_never_what_is_in_them() {
    let system = system().await;
    let api = system.api("key");
    let config = json!({ "driver": "scripted", "env": { "GREETING": "hush-hush" } });
    let session = api.launch(config).await.unwrap();
    let told = api.get(&format!("/api/agents/{}/env/GREETING,MISSING", session.id)).await.unwrap();
    assert_eq!(told.body, json!({ "GREETING": true, "MISSING": false }));
    for wrong in ["greeting", "A,b", "A-B", "A,", "A%26B", "%C3%84"] {
        let refused = api.get(&format!("/api/agents/{}/env/{wrong}", session.id)).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "environment_name_invalid"), "{wrong}");
        assert!(!refused.body["errors"].as_array().unwrap().is_empty(), "{}", refused.body);
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn tools_are_told_as_they_are_called() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    session.chat("@@say before\n@@tool Bash {\"command\": \"old\"}").await.unwrap().rest().await.unwrap();
    let mut live =
        api.request(reqwest::Method::GET, &format!("/api/tools/{}/stream", session.id)).send().await.unwrap();
    let turn =
        session.chat("@@say hello\n@@tool Bash {\"command\": \"new\"} => made\n@@say bye").await.unwrap();
    turn.rest().await.unwrap();
    let mut text = String::new();
    while !text.contains("tool_result") {
        text.push_str(std::str::from_utf8(&soon(live.chunk()).await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("tool_call") && text.contains("new"), "{text}");
    assert!(!text.contains("old") && !text.contains("hello"), "{text}");
    system.stop().await.unwrap();
}

/// The first event of a stream.
async fn first_event(response: reqwest::Response) -> Value {
    let mut response = response;
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    loop {
        text.push_str(std::str::from_utf8(&soon(response.chunk()).await.unwrap().unwrap()).unwrap());
        if let Some((frame, _)) = text.split_once("\n\n") {
            return serde_json::from_str(frame.split_once("data: ").unwrap().1).unwrap();
        }
    }
}

#[tokio::test]
async fn readings_have_their_time_as_id_and_the_newest_comes_first() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let path = format!("/api/resources/{}/stream?interval=60", session.id);
    let first = async |after: Option<u64>| {
        let mut request = api.request(reqwest::Method::GET, &path);
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        let mut readings = agcluster_tests::system::Chat::new(request.send().await.unwrap());
        soon(readings.next()).await.unwrap().unwrap().id.unwrap()
    };
    let mut last = first(None).await;
    // Each at once, though the next one of a stream would be a minute away.
    for _ in 0..5 {
        let next = first(Some(last)).await;
        assert!(next > last, "{next} was seen already");
        last = next;
    }
    // One stream has one after another.
    let request =
        api.request(reqwest::Method::GET, &format!("/api/resources/{}/stream?interval=1", session.id));
    let mut readings = agcluster_tests::system::Chat::new(request.send().await.unwrap());
    for _ in 0..2 {
        let next = soon(readings.next()).await.unwrap().unwrap();
        assert!(next.id.unwrap() > last && next.data["session_id"] == session.id.as_str(), "{next:?}");
        last = next.id.unwrap();
    }
    for (after, code) in
        [("x", "invalid_cursor"), ("1.1", "invalid_cursor"), ("99999999999999", "cursor_in_future")]
    {
        let refused = api.get(&format!("{path}&after={after}")).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (400, code));
    }
    system.stop().await.unwrap();
}

/// Reads a log to its end, behind every one of its ids.
async fn cut_log(provider: Provider) {
    let system = System::start(provider).await.unwrap();
    let api = system.api("sk-ant-key").described();
    let session = scripted(&api).await;
    // So that it has something to say.
    for _ in 0..3 {
        session.ask("@@say hello").await.unwrap();
    }
    let path = format!("/api/agents/{}/logs", session.id);
    let log = async |id: Option<&str>| {
        let mut request = api.request(reqwest::Method::GET, &path);
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        let text = soon(request.send().await.unwrap().text()).await.unwrap();
        let frames = agcluster_tests::system::whole_frames(&text);
        frames.into_iter().filter(|(_, data)| data.contains("\"stream\"")).collect::<Vec<_>>()
    };
    let text = |frames: &[(Option<String>, String)]| -> String {
        let data = frames.iter().map(|(_, data)| serde_json::from_str::<Value>(data).unwrap());
        data.map(|data| data["data"].as_str().unwrap().to_owned()).collect()
    };
    // It comes to the platform's log a moment after it was written.
    let written = async {
        loop {
            let all = log(None).await;
            if !all.is_empty() {
                return all;
            }
        }
    };
    let all = soon(written).await;
    for (index, (id, _)) in all.iter().enumerate() {
        let rest = text(&log(id.as_deref()).await);
        // More may have been written meanwhile.
        assert!(rest.starts_with(&text(&all[index + 1..])), "behind {id:?}");
        let repeated = text(&all[index..=index]);
        assert!(!rest.starts_with(&(repeated.clone() + &text(&all[index + 1..]))) || repeated.is_empty());
    }
    let number = all[0].0.as_deref().unwrap().split_once('-').unwrap().0.to_owned();
    for (id, status, code) in [
        ("x", 400, "invalid_cursor"),
        ("7", 400, "invalid_cursor"),
        ("1-1", 410, "cursor_expired"),
        (&*format!("{number}-9999999999999999999"), 400, "cursor_in_future"),
    ] {
        let refused = api.get(&format!("{path}?after={id}")).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{id}");
    }
    // One that follows is told what comes while it is open, such as that what served the workspace was ended.
    let request = api.request(reqwest::Method::GET, &format!("{path}?follow=true"));
    let mut following = agcluster_tests::system::Chat::new(request.send().await.unwrap());
    let (before, mut told) = (text(&all), String::new());
    let mut follow_until = async |wanted: &str| {
        while !told.contains(wanted) {
            let frame = soon(following.next()).await.unwrap().unwrap();
            told.push_str(frame.data["data"].as_str().unwrap());
        }
    };
    follow_until(&before).await;
    let exec = format!("/api/agents/{}/exec", session.id);
    let run = async |command: &str| {
        let request = api.request(reqwest::Method::POST, &exec);
        let request = request.json(&json!({ "command": ["sh", "-c", command] }));
        soon(soon(request.send()).await.unwrap().text()).await.unwrap()
    };
    run("kill -9 $PPID").await;
    // One that comes while it still dies fails.
    soon(async { while !run("true").await.contains("\"exit_code\":0") {} }).await;
    assert!(!before.contains("was ended"), "{before}");
    follow_until("was ended").await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_log_of_a_process_goes_on_behind_any_id() {
    cut_log(Provider::Process).await;
}

#[tokio::test]
async fn the_log_of_a_container_goes_on_behind_any_id() {
    cut_log(Provider::Docker).await;
}

async fn measured(provider: Provider) -> (Value, Value) {
    let system = System::start(provider).await.unwrap();
    let api = system.api("sk-ant-key");
    let session = scripted(&api).await;
    let used = soon(api.get(&format!("/api/resources/{}", session.id))).await.unwrap();
    assert_eq!(used.status, StatusCode::OK, "{}", used.body);
    let stream = api.request(reqwest::Method::GET, &format!("/api/resources/{}", session.id));
    let streamed = first_event(stream.header("accept", "text/event-stream").send().await.unwrap()).await;
    let logs =
        api.request(reqwest::Method::GET, &format!("/api/agents/{}/logs?follow=true&tail=5", session.id));
    let said = first_event(logs.send().await.unwrap()).await;
    assert!(said["stream"] == "stderr" || said["stream"] == "stdout", "{said}");
    system.stop().await.unwrap();
    (used.body, streamed)
}

#[tokio::test]
async fn a_container_is_measured_whole() {
    for used in <[Value; 2]>::from(measured(Provider::Docker).await) {
        assert_eq!(used["measured"], "container");
        assert!(
            used["cpu"]["percent"].as_f64().unwrap() >= 0.0 && used["cpu"]["count"].as_u64().unwrap() > 0
        );
        // Two processors and a gibibyte are what the system gives its containers.
        assert_eq!(
            (&used["cpu"]["limit"], &used["memory"]["limit_bytes"]),
            (&json!(2.0), &json!(1 << 30)),
            "{used}"
        );
        let memory = used["memory"]["used_bytes"].as_u64().unwrap();
        assert!((1 << 20..1 << 30).contains(&memory), "{used}");
        assert!(used["disk"]["total_bytes"].as_u64().unwrap() > 0, "{used}");
        assert!(used["network"]["received_bytes"].as_u64().unwrap() > 0, "{used}");
    }
}

#[tokio::test]
async fn beside_this_process_its_own_processes_are_measured() {
    for used in <[Value; 2]>::from(measured(Provider::Process).await) {
        assert_eq!((&used["measured"], &used["network"]), (&json!("process_tree"), &Value::Null));
        assert!(used["memory"]["used_bytes"].as_u64().unwrap() > 1 << 20, "{used}");
        assert_eq!(used["memory"]["limit_bytes"], Value::Null);
        assert!(used["processes"].as_u64().unwrap() >= 1, "{used}");
    }
}
