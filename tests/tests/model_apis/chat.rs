//! Chat completions in a session that is there.

use super::*;

const TURN: &str = "@@think hm\n@@say first\n@@tool Bash {\"command\": \"ls\"} => a.txt\n@@say second";

#[tokio::test]
async fn a_completion_tells_what_was_said_thought_and_done() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    for path in [CHAT, "/chat/completions"] {
        let answer = send(&api, path, &[("x-session-id", &session.id)], ask(TURN)).await;
        assert_eq!(said(&answer), "first\n\nsecond");
        let body = &answer.body;
        assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("scripted")));
        assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"), "{body}");
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        assert!(body["usage"]["total_tokens"].is_u64(), "{body}");
        let reasoning = body["choices"][0]["message"]["reasoning_content"].as_str().unwrap();
        assert_eq!(reasoning, "hm\n\nBash ls\n→ a.txt\n\n");
        assert_eq!(session_of(&answer), session.id);
        assert!(!answer.headers["x-turn-id"].is_empty());
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_completion_streams_in_chunks_and_ends_with_usage_when_asked() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut body = ask(TURN);
    body["stream"] = true.into();
    body["stream_options"] = json!({ "include_usage": true });
    let mut chunks = frames(post(&api, CHAT, &[("x-session-id", &session.id)], &body)).await;
    assert_eq!(chunks.pop().unwrap(), "[DONE]");
    let usage = chunks.pop().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["prompt_tokens"].is_u64(), "{usage}");
    let all = |name: &str| -> String {
        chunks.iter().map(|chunk| chunk["choices"][0]["delta"][name].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(all("content"), "first\n\nsecond");
    assert_eq!(all("reasoning_content"), "hm\n\nBash ls\n→ a.txt\n\n");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["usage"].is_null()));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_turn_is_an_error_and_is_not_to_be_repeated() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let in_session = [("x-session-id", session.id.as_str())];
    for (reason, status, code) in [
        ("model_api", 502, "model_api"),
        ("model_auth", 401, "model_auth"),
        ("model_overloaded", 503, "model_overloaded"),
        ("agent_error", 502, "turn_failed"),
    ] {
        let failed = send(&api, CHAT, &in_session, ask(&format!("@@say x\n@@fail {reason} on fire"))).await;
        assert_eq!((error(&failed).0, error(&failed).2), (status, code), "{}", failed.body);
        assert_eq!(failed.body["error"]["message"], "on fire");
        assert_eq!(failed.headers["x-should-retry"], "false");
    }
    let mut body = ask("@@say x\n@@fail model_api on fire");
    body["stream"] = true.into();
    let chunks = frames(post(&api, CHAT, &in_session, &body)).await;
    let [.., broken, done] = &chunks[..] else { panic!("{chunks:?}") };
    assert_eq!((&broken["error"]["code"], done), (&json!("model_api"), &json!("[DONE]")));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_turn_that_ends_at_a_limit_is_cut_off_at_its_length() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let answer =
        send(&api, CHAT, &[("x-session-id", &session.id)], ask("@@say so far\n@@limit max_turns")).await;
    assert_eq!(said(&answer), "so far");
    assert_eq!(answer.body["choices"][0]["finish_reason"], "length");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_busy_session_says_when_to_come_back_and_can_be_waited_for() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let in_session = [("x-session-id", session.id.as_str())];
    let mut running = session.chat("@@say begun\n@@gate go").await.unwrap();
    running.until("question_asked").await.unwrap();
    let mut body = ask("me too");
    body["input"] = "me too".into();
    body["max_tokens"] = 1000.into();
    for path in [CHAT, "/chat/completions", "/v1/responses", "/v1/messages"] {
        for streams in [false, true] {
            body["stream"] = streams.into();
            let busy = send(&api, path, &in_session, body.clone()).await;
            assert_eq!(error(&busy), (409, "invalid_request_error", "session_busy"), "{path}");
            assert_eq!(busy.headers["retry-after"], "1", "{path}");
        }
    }
    let waiting =
        tokio::spawn(api.clone().send_later(post(&api, CHAT, &in_session, &queue("@@say my turn"))));
    while session.get().await.unwrap().body["queued"] == json!([]) {
        tokio::task::yield_now().await;
    }
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
    assert_eq!(said(&waiting.await.unwrap()), "my turn");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_repeated_under_its_name_runs_once() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let headers = [("x-session-id", session.id.as_str()), ("idempotency-key", "once")];
    let first = send(&api, CHAT, &headers, ask("@@say done")).await;
    let again = send(&api, CHAT, &headers, ask("@@say done")).await;
    assert_eq!((said(&first), said(&again)), ("done", "done"));
    assert_eq!(first.body["id"], again.body["id"]);
    let other = send(&api, CHAT, &headers, ask("@@say other")).await;
    assert_eq!(error(&other).2, "idempotency_key_reused");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn pictures_and_files_reach_the_agent_whichever_api_they_come_by() {
    let system = system().await;
    let api = system.api("key");
    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let (picture, file) = (format!("data:image/png;base64,{png}"), "data:text/plain;base64,aGVsbG8=");
    let source = json!({ "type": "base64", "media_type": "image/png", "data": png });
    let document = json!({ "type": "text", "media_type": "text/plain", "data": "hello" });
    for (path, field, parts) in [
        (
            CHAT,
            "messages",
            json!([
                { "type": "text", "text": "@@say seen" },
                { "type": "image_url", "image_url": { "url": picture } },
                { "type": "file", "file": { "filename": "a.txt", "file_data": file } },
            ]),
        ),
        (
            "/v1/responses",
            "input",
            json!([
                { "type": "input_text", "text": "@@say seen" },
                { "type": "input_image", "image_url": picture },
                { "type": "input_file", "filename": "a.txt", "file_data": file },
            ]),
        ),
        (
            "/v1/messages",
            "messages",
            json!([
                { "type": "text", "text": "@@say seen" },
                { "type": "image", "source": source },
                { "type": "document", "title": "a.txt", "source": document },
            ]),
        ),
    ] {
        let session = scripted(&api).await;
        let body =
            json!({ "model": "any", "max_tokens": 1000, field: [{ "role": "user", "content": parts }] });
        let answer = send(&api, path, &[("x-session-id", &session.id)], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        let prompt = &prompts(&api, &session.id).await[0];
        let expected = "@@say seen\n---\n[picture]\n---\n<file name=\"a.txt\">\nhello\n</file>";
        assert_eq!(prompt, expected, "{path}");
    }
    system.stop().await.unwrap();
}
