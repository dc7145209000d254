//! Sessions over HTTP, with the scripted agent in this process: what is answered, to whom, and in which shape.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::system::{Api, Provider, Session, System};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn system() -> System {
    System::start(Provider::Memory).await.unwrap()
}

async fn scripted(api: &Api) -> Session {
    api.launch(json!({ "driver": "scripted" })).await.unwrap()
}

#[tokio::test]
async fn a_launch_says_what_was_launched_and_where() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    assert!(session.id.starts_with("conv-"), "{}", session.id);
    assert!(session.launched["agent_id"].as_str().unwrap().starts_with("agent-"));
    assert!(session.launched["config_id"].as_str().unwrap().starts_with("inline-"));
    assert_eq!(session.launched["status"], "running");
    assert_eq!(session.launched["provider"], "memory");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_chat_streams_blocks_and_ends_with_one_terminal_frame() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let frames = session
        .chat("@@think hm\n@@tool Bash {\"command\": \"ls\"} => file\n@@say done")
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.kind()).collect();
    for kind in ["thinking", "tool_use", "tool_complete", "content", "metadata"] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    assert_eq!(frames.last().unwrap().data, json!({ "type": "complete", "status": "success" }));
    let ids: Vec<u64> = frames.iter().filter_map(|frame| frame.id).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "ids have gaps: {ids:?}");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_takes_no_stream_gets_one_json_answer() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let answer = session.ask("@@tool Bash {\"command\": \"ls\"} => file\n@@say done").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["status"], "success");
    assert_eq!(answer.body["content"], "done");
    assert_eq!(answer.body["tools"][0]["output"], "file");
    assert_eq!(answer.body["session_id"], session.id.as_str());
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_turn_is_never_a_success() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let answer = session.ask("@@fail model_api the model is on fire").await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_GATEWAY, "turn_failed"));
    assert_eq!(answer.body["detail"], "the model is on fire");
    let frames = session.chat("@@fail model_api the model is on fire").await.unwrap().rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["type"], "error");
    assert_eq!(frames.last().unwrap().data["code"], "model_api");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_older_chat_route_takes_the_session_from_body_or_header() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let with_body = api
        .request(Method::POST, "/api/agents/chat")
        .json(&json!({ "messages": messages, "sessionId": session.id }));
    assert_eq!(with_body.send().await.unwrap().status(), StatusCode::OK);
    // The turn may still be running: its terminal frame frees the session.
    session.get().await.unwrap();
    let with_header = || {
        api.request(Method::POST, "/api/agents/chat")
            .header("x-session-id", &session.id)
            .header("accept", "application/json")
            .json(&json!({ "messages": messages }))
    };
    idle(&session).await;
    let answer = api.send(with_header()).await.unwrap();
    assert_eq!((answer.status, &answer.body["content"]), (StatusCode::OK, &json!("hello")));
    let neither = api
        .send(api.request(Method::POST, "/api/agents/chat").json(&json!({ "messages": messages })))
        .await
        .unwrap();
    assert_eq!((neither.status, neither.code()), (StatusCode::BAD_REQUEST, "session_id_missing"));
    system.stop().await.unwrap();
}

/// Waits, by the session's own stream, until no turn runs.
async fn idle(session: &Session) {
    while !session.get().await.unwrap().body["turn"].is_null() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_second_message_while_a_turn_runs_is_refused_with_when_to_come_back() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let mut running = session.chat("@@say begun\n@@hang").await.unwrap();
    running.until("content").await.unwrap();
    let refused = session.ask("me too").await.unwrap();
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "session_busy"));
    assert_eq!(refused.headers["retry-after"], "1");
    let interrupted = session.post("interrupt", json!({})).await.unwrap();
    assert_eq!((interrupted.status, &interrupted.body["status"]), (StatusCode::OK, &json!("success")));
    let frames = running.rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["status"], "interrupted");
    assert_eq!(session.ask("now?").await.unwrap().body["content"], "now?");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn interrupting_an_idle_session_is_refused() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let refused = session.post("interrupt", json!({})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "session_idle"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_turn_runs_on_when_its_client_leaves_and_can_be_read_afterwards() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let mut chat = session.chat("@@say first\n@@gate go\n@@say second").await.unwrap();
    let asked = chat.until("question_asked").await.unwrap();
    drop(chat);
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
    let mut events = session.events(asked.id.unwrap()).await.unwrap();
    let text = events.until("text").await.unwrap();
    assert_eq!(text.data["text"], "second");
    let end = events.until("turn_ended").await.unwrap();
    assert_eq!(end.data["outcome"], "completed");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_broke_goes_on_exactly_where_it_stopped() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    session.chat("@@stream 50").await.unwrap().rest().await.unwrap();
    let head = session.get().await.unwrap();
    assert_eq!(head.status, StatusCode::OK);
    let read = |after: u64| {
        let session = session.clone();
        async move {
            let mut events = session.events(after).await.unwrap();
            let mut seen: Vec<Value> = Vec::new();
            while seen.last().is_none_or(|event| event["type"] != "turn_ended") {
                seen.push(events.next().await.unwrap().unwrap().data);
            }
            seen
        }
    };
    let all = read(0).await;
    assert!(all.len() > 50, "{}", all.len());
    for cut in [1, 2, 17, all.len() - 1] {
        assert_eq!(read(cut as u64).await, all[cut..], "after {cut}");
    }
    let header =
        api.request(Method::GET, &format!("/api/agents/{}/events", session.id)).header("last-event-id", "3");
    assert_eq!(header.send().await.unwrap().status(), StatusCode::OK);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_cursor_that_makes_no_sense_is_refused() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let path = |query: &str| format!("/api/agents/{}/events{query}", session.id);
    let future = api.get(&path("?after=9999")).await.unwrap();
    assert_eq!((future.status, future.code()), (StatusCode::BAD_REQUEST, "cursor_in_future"));
    let malformed = api.get(&path("?after=yesterday")).await.unwrap();
    assert_eq!((malformed.status, malformed.code()), (StatusCode::BAD_REQUEST, "invalid_cursor"));
    let header = api.request(Method::GET, &path("")).header("last-event-id", "x");
    let malformed = api.send(header).await.unwrap();
    assert_eq!((malformed.status, malformed.code()), (StatusCode::BAD_REQUEST, "invalid_cursor"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_permission_is_asked_for_and_answered_once() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let mut chat = session.chat("@@permission Bash {\"command\": \"touch x\"}\n@@say done").await.unwrap();
    let asked = chat.until("permission_requested").await.unwrap();
    let id = asked.data["data"]["request_id"].as_str().unwrap().to_owned();
    let answer = json!({ "request_id": id, "decision": "deny", "message": "not today" });
    assert_eq!(session.post("answer", answer.clone()).await.unwrap().status, StatusCode::OK);
    let resolved = chat.until("request_resolved").await.unwrap();
    assert_eq!(resolved.data["data"]["resolution"], "denied");
    chat.rest().await.unwrap();
    let late = session.post("answer", answer).await.unwrap();
    assert_eq!((late.status, late.code()), (StatusCode::NOT_FOUND, "request_not_found"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_belongs_to_the_key_that_launched_it() {
    let system = system().await;
    let (owner, other) = (system.api("mine").described(), system.api("yours"));
    let session = scripted(&owner).await;
    let id = &session.id;
    for (method, path) in [
        (Method::GET, format!("/api/agents/sessions/{id}")),
        (Method::DELETE, format!("/api/agents/sessions/{id}")),
        (Method::POST, format!("/api/agents/sessions/{id}/interrupt")),
        (Method::POST, format!("/api/agents/sessions/{id}/answer")),
        (Method::POST, format!("/api/agents/sessions/{id}/settings")),
        (Method::POST, format!("/api/agents/{id}/chat")),
        (Method::GET, format!("/api/agents/{id}/events")),
    ] {
        let body = json!({ "message": "hi", "request_id": "r", "decision": "allow" });
        let theirs = other.send(other.request(method.clone(), &path).json(&body)).await.unwrap();
        assert_eq!(
            (theirs.status, theirs.code()),
            (StatusCode::NOT_FOUND, "session_not_found"),
            "{method} {path}"
        );
        let nobody = reqwest::Client::new()
            .request(method.clone(), owner.url(&path))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(nobody.headers()["www-authenticate"], "Bearer");
    }
    assert_eq!(other.get("/api/agents/sessions").await.unwrap().body["total"], 0);
    assert_eq!(
        owner.get("/api/agents/sessions").await.unwrap().body["sessions"][0]["session_id"],
        id.as_str()
    );
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_deleted_session_is_gone_and_its_streams_end() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let mut chat = session.chat("@@say begun\n@@hang").await.unwrap();
    chat.until("content").await.unwrap();
    let mut events = session.events(0).await.unwrap();
    assert_eq!(session.delete().await.unwrap().status, StatusCode::OK);
    let frames = chat.rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["code"], "session_stopped");
    events.until("session_changed").await.unwrap();
    let stopped = events.until("session_changed").await.unwrap();
    assert_eq!(stopped.data["status"], "stopped");
    assert_eq!(events.next().await.unwrap(), None);
    assert_eq!(session.get().await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(session.delete().await.unwrap().status, StatusCode::NOT_FOUND);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_dies_in_a_turn_ends_it_once_and_the_next_turn_works() {
    let system = system().await;
    let session = scripted(&system.api("key").described()).await;
    let frames = session.chat("@@say begun\n@@exit 3").await.unwrap().rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["code"], "agent_exited");
    assert_eq!(session.ask("still there?").await.unwrap().body["content"], "still there?");
    system.stop().await.unwrap();
}
