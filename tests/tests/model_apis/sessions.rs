//! Which session a request belongs to.

use std::collections::HashSet;

use futures::StreamExt;
use futures::future::join_all;

use super::*;

#[tokio::test]
async fn a_session_that_is_named_must_be_there_and_be_the_caller_s() {
    let system = system().await;
    let (api, other) = (system.api("key"), system.api("yours"));
    let session = scripted(&api).await;
    let in_session = [("x-session-id", session.id.as_str()), ("x-conversation-id", "c")];
    assert_eq!(session_of(&send(&api, CHAT, &in_session, ask("@@say hi")).await), session.id);
    let theirs = send(&other, CHAT, &in_session, ask("@@say hi")).await;
    assert_eq!(error(&theirs), (404, "invalid_request_error", "session_not_found"));
    let none = send(&api, CHAT, &[("x-session-id", "conv-nowhere")], ask("@@say hi")).await;
    assert_eq!(error(&none), (404, "invalid_request_error", "session_not_found"));
    assert_eq!(sessions(&api).await.len(), 1);
    assert_eq!(sessions(&other).await.len(), 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_conversation_has_one_session_however_many_ask_at_once() {
    let system = system().await;
    let api = system.api("key");
    let named = [("x-conversation-id", "c-1")];
    let all = (0..8).map(|nth| send(&api, CHAT, &named, queue(&format!("@@say {nth}"))));
    let answers = join_all(all).await;
    for (nth, answer) in answers.iter().enumerate() {
        assert_eq!(said(answer), nth.to_string());
    }
    let ids: HashSet<String> = answers.iter().map(session_of).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(sessions(&api).await.len(), 1);
    let theirs = send(&system.api("yours"), CHAT, &named, ask("@@say mine")).await;
    assert!(!ids.contains(&session_of(&theirs)));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn each_way_of_naming_has_names_of_its_own() {
    let system = system().await;
    let api = system.api("key");
    let mut ids = HashSet::new();
    for headers in [[("x-conversation-id", "same")], [("x-openwebui-chat-id", "same")]] {
        let first = session_of(&send(&api, CHAT, &headers, ask("@@say hi")).await);
        assert_eq!(session_of(&send(&api, CHAT, &headers, ask("@@say hi")).await), first);
        ids.insert(first);
    }
    let mut body = ask("@@say hi");
    body["user"] = "same".into();
    let first = session_of(&send(&api, CHAT, &[], body.clone()).await);
    assert_eq!(session_of(&send(&api, CHAT, &[], body.clone()).await), first);
    ids.insert(first);
    // Another agent in the same conversation, and a launch whose key looks like a conversation's.
    body["model"] = "second".into();
    ids.insert(session_of(&send(&api, CHAT, &[], body).await));
    let launch = json!({ "api_key": "key", "config_id": "scripted" });
    let key = [("idempotency-key", "scripted:conversation:same")];
    let launched = send(&api, "/api/agents/launch", &key, launch).await;
    ids.insert(launched.body["session_id"].as_str().unwrap().to_owned());
    assert_eq!(ids.len(), 5, "{ids:?}");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_is_told_what_is_new_and_at_first_what_was_said_before() {
    let system = system().await;
    let api = system.api("key");
    let named = [("x-conversation-id", "c-1")];
    let message = |role: &str, text: &str| json!({ "role": role, "content": text });
    let mut messages = vec![
        message("system", "be kind"),
        message("user", "@@say before"),
        message("assistant", "before"),
        message("user", "@@say one"),
    ];
    let body = |messages: &[Value]| json!({ "model": "scripted", "messages": messages });
    let first = send(&api, CHAT, &named, body(&messages)).await;
    assert_eq!(said(&first), "one");
    messages.extend([message("assistant", "one"), message("user", "@@say two")]);
    let second = send(&api, CHAT, &named, body(&messages)).await;
    assert_eq!(said(&second), "two");
    let told = prompts(&api, &session_of(&first)).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("User: @@say before\n\nAssistant: before"), "{}", told[0]);
    assert!(told[0].ends_with("\n---\n@@say one") && !told[0].contains("be kind"), "{}", told[0]);
    assert_eq!(told[1], "@@say two");

    // In a session that was launched without it, what the system says is told, too.
    let launched = scripted(&api).await;
    send(&api, CHAT, &[("x-session-id", &launched.id)], body(&messages)).await;
    let told = prompts(&api, &launched.id).await;
    assert!(told[0].contains("System: be kind") && told[0].contains("Assistant: one"), "{}", told[0]);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_conversation_whose_session_was_removed_gets_a_new_one() {
    let system = system().await;
    let api = system.api("key");
    let named = [("x-conversation-id", "c-1")];
    let first = session_of(&send(&api, CHAT, &named, ask("@@say one")).await);
    // Somebody still reads how it ended.
    let events = api.session(&first).events(0).await.unwrap();
    assert_eq!(api.session(&first).delete().await.unwrap().status, StatusCode::OK);
    let second = send(&api, CHAT, &named, ask("@@say two")).await;
    assert_eq!(said(&second), "two");
    assert_ne!(session_of(&second), first);
    drop(events);
    let third = send(&api, CHAT, &named, ask("@@say three")).await;
    assert_eq!(session_of(&third), session_of(&second));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_names_nothing_has_a_session_for_its_answer_alone() {
    let system = system().await;
    let api = system.api("key");
    let answer = send(&api, CHAT, &[], ask("@@say hi")).await;
    assert_eq!(said(&answer), "hi");
    none_left(&api).await;
    let mut body = ask("@@say hi");
    body["stream"] = true.into();
    assert_eq!(
        frames(post(&api, CHAT, &[("x-conversation-id", "new")], &body)).await.last().unwrap(),
        "[DONE]"
    );
    none_left(&api).await;
    let failed = send(&api, CHAT, &[], ask("@@fail model_api x")).await;
    assert_eq!(error(&failed).0, 502);
    none_left(&api).await;
    assert_eq!(system.left_behind().await.unwrap(), Vec::<String>::new());
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_for_one_answer_goes_with_its_client() {
    let system = system().await;
    let api = system.api("key");
    let mut body = ask("@@say begun\n@@hang");
    body["stream"] = true.into();
    let response = post(&api, CHAT, &[], &body).send().await.unwrap();
    let mut stream = response.bytes_stream();
    let mut seen = String::new();
    while !seen.contains("begun") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(sessions(&api).await.len(), 1);
    drop(stream);
    none_left(&api).await;

    // One who waits for the whole answer, and leaves.
    body["stream"] = false.into();
    let waiting = tokio::spawn(post(&api, CHAT, &[], &body).send());
    while !sessions(&api).await.iter().any(|session| session["turn"].is_string()) {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    none_left(&api).await;
    assert_eq!(system.left_behind().await.unwrap(), Vec::<String>::new());
    system.stop().await.unwrap();
}

/// As the engine itself shows it: containers and volumes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_for_one_answer_leaves_no_container_and_no_volume() {
    let system = system_on(Provider::Docker).await;
    let api = system.api("key");
    for (path, field) in [(CHAT, "messages"), ("/v1/responses", "input"), ("/v1/messages", "messages")] {
        let said = json!([{ "role": "user", "content": "@@say begun\n@@gate go" }]);
        let body = json!({ "model": "scripted", "max_tokens": 1000, "store": false, field: said });
        let waiting = tokio::spawn(api.clone().send_later(post(&api, path, &[], &body)));
        while !sessions(&api).await.iter().any(|session| session["turn"].is_string()) {
            assert!(!waiting.is_finished(), "{path}: {:?}", waiting.await);
        }
        assert_ne!(system.left_behind().await.unwrap(), Vec::<String>::new(), "{path}: it has a container");
        let session = api.session(sessions(&api).await[0]["session_id"].as_str().unwrap());
        session.events(0).await.unwrap().until("question_asked").await.unwrap();
        let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
        assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
        assert_eq!(waiting.await.unwrap().status, StatusCode::OK, "{path}");
        none_left(&api).await;
        assert_eq!(system.left_behind().await.unwrap(), Vec::<String>::new(), "{path}");
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_turn_in_a_lasting_session_runs_on_without_its_client() {
    let system = system().await;
    let api = system.api("key");
    let mut body = ask("@@say begun\n@@gate go\n@@say after");
    body["stream"] = true.into();
    let response = post(&api, CHAT, &[("x-conversation-id", "c")], &body).send().await.unwrap();
    let session = api.session(response.headers()["x-session-id"].to_str().unwrap());
    let mut events = session.events(0).await.unwrap();
    events.until("question_asked").await.unwrap();
    drop(response);
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
    assert_eq!(events.until("turn_ended").await.unwrap().data["outcome"], "completed");
    system.stop().await.unwrap();
}
