//! Anthropic's messages.

use super::*;

const MESSAGES: &str = "/v1/messages";

fn message(text: &str) -> Value {
    let mut body = ask(text);
    body["max_tokens"] = 1000.into();
    body
}

/// As Anthropic's clients send it.
fn request(system: &System, key: &str, headers: &[(&str, &str)], body: &Value) -> RequestBuilder {
    let request = reqwest::Client::new().post(system.api(key).url(MESSAGES)).json(body);
    let request = request.header("x-api-key", key).header("anthropic-version", "2023-06-01");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn a_message_has_blocks_and_usage() {
    let system = system().await;
    let api = system.api("key");
    let body = message("@@think hm\n@@say first\n@@tool Bash {\"command\": \"ls\"} => a.txt\n@@say second");
    let answer = api.send(request(&system, "key", &[("x-conversation-id", "c")], &body)).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!((&answer.body["type"], &answer.body["stop_reason"]), (&json!("message"), &json!("end_turn")));
    let blocks = answer.body["content"].as_array().unwrap();
    let kinds: Vec<&str> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "thinking", "text"]);
    assert_eq!((&blocks[1]["text"], &blocks[3]["text"]), (&json!("first"), &json!("second")));
    assert!(answer.body["usage"]["output_tokens"].is_u64());
    assert_eq!(sessions(&api).await.len(), 1);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_streams_block_by_block() {
    let system = system().await;
    let mut body = message("@@think hm\n@@say one two");
    body["stream"] = true.into();
    let events = frames(request(&system, "key", &[], &body)).await;
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(events[9]["delta"]["stop_reason"], "end_turn");
    none_left(&system.api("key")).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_has_a_session_and_the_key_opens_it_either_way() {
    let system = system().await;
    let api = system.api("key");
    let mut body = message("@@say hi");
    body["metadata"] = json!({ "user_id": "u" });
    let first = api.send(request(&system, "key", &[], &body)).await.unwrap();
    let second = send(&api, MESSAGES, &[], body.clone()).await;
    assert_eq!(session_of(&first), session_of(&second));
    let theirs = api.send(request(&system, "yours", &[], &body)).await.unwrap();
    assert_ne!(session_of(&first), session_of(&theirs));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn refusals_have_anthropic_s_shape() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let in_session = [("x-session-id", session.id.as_str())];
    let failed = send(&api, MESSAGES, &in_session, message("@@fail model_overloaded later")).await;
    assert_eq!(failed.body["type"], "error");
    assert_eq!(error(&failed), (503, "overloaded_error", "model_overloaded"));
    let mut running = session.chat("@@say begun\n@@hang").await.unwrap();
    running.until("content").await.unwrap();
    let busy = send(&api, MESSAGES, &in_session, message("hi")).await;
    assert_eq!((error(&busy).0, busy.headers["retry-after"].to_str().unwrap()), (409, "1"));
    for (field, value, code) in [
        ("messages", json!([]), "messages_empty"),
        ("tools", json!([{ "name": "x" }]), "unsupported_parameter"),
        ("messages", json!([{ "role": "user", "content": "" }]), "no_user_message"),
    ] {
        let mut body = message("hi");
        body["system"] = "be kind".into();
        body[field] = value;
        assert_eq!(error(&send(&api, MESSAGES, &[], body).await), (400, "invalid_request_error", code));
    }
    let count = send(&api, "/v1/messages/count_tokens", &[], message("hi")).await;
    assert_eq!(error(&count), (404, "not_found_error", "count_tokens_unsupported"));
    system.stop().await.unwrap();
}
