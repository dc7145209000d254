//! Who is not let in, and what makes no sense.

use reqwest::Method;
use serde_json::json;

use super::{scripted, system};
use agcluster_tests::system::screen::{refused, request, token, with_bearer};
use agcluster_tests::system::{Provider, Screen, System};

#[tokio::test]
async fn a_token_opens_one_terminal_once() {
    let system = system().await;
    let api = system.api("key");
    let (one, other) = (scripted(&api).await, scripted(&api).await);
    let used = token(&api, &one.id, "main").await.unwrap();
    let path = format!("/api/agents/{}/terminal", one.id);
    let screen = Screen::connect(with_bearer(request(&api, &path).unwrap(), &used).unwrap()).await.unwrap();
    let again = refused(with_bearer(request(&api, &path).unwrap(), &used).unwrap()).await.unwrap();
    assert_eq!(again, (401, "terminal_token_used".to_owned()));
    screen.leave().await.unwrap();

    let elsewhere = format!("/api/agents/{}/terminal", other.id);
    let mine = token(&api, &one.id, "main").await.unwrap();
    let wrong = refused(with_bearer(request(&api, &elsewhere).unwrap(), &mine).unwrap()).await.unwrap();
    assert_eq!(wrong, (403, "terminal_token_wrong_session".to_owned()));

    let gone = token(&api, &other.id, "main").await.unwrap();
    other.delete().await.unwrap();
    let late = refused(with_bearer(request(&api, "/ws/terminal").unwrap(), &gone).unwrap()).await.unwrap();
    assert_eq!(late, (404, "session_not_found".to_owned()));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn of_two_that_show_one_token_at_once_one_is_let_in() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    for _ in 0..10 {
        let before = jiff::Timestamp::now();
        let path = format!("/api/agents/{}/terminal/token", session.id);
        let given = api.post(&path, json!({})).await.unwrap().body;
        let until: jiff::Timestamp = given["expires_at"].as_str().unwrap().parse().unwrap();
        let lasts = until.duration_since(before).as_secs();
        assert!((1..=120).contains(&lasts), "it is good for a minute, not for {lasts} s");
        let ask =
            || with_bearer(request(&api, "/ws/terminal").unwrap(), given["token"].as_str().unwrap()).unwrap();
        let both = tokio::join!(Screen::connect(ask()), Screen::connect(ask()));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_has_expired_opens_nothing() {
    let arguments = ["--terminal-token-lifetime=0"];
    let system = System::start_with(Provider::Memory, &arguments).await.unwrap();
    let api = system.api("key");
    let session = scripted(&api).await;
    let token = token(&api, &session.id, "main").await.unwrap();
    let late = refused(with_bearer(request(&api, "/ws/terminal").unwrap(), &token).unwrap()).await.unwrap();
    assert_eq!(late, (401, "terminal_token_expired".to_owned()));
    let listed = api.get(&format!("/api/agents/{}/terminals", session.id)).await.unwrap();
    assert_eq!(listed.body["terminals"], json!([]), "no shell was started for it");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_counts_in_the_headers_alone_and_the_key_is_none() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let token = token(&api, &session.id, "main").await.unwrap();
    for query in ["token", "ticket", "access_token"] {
        let path = format!("/ws/terminal?{query}={token}");
        assert_eq!(
            refused(request(&api, &path).unwrap()).await.unwrap(),
            (401, "terminal_token_missing".to_owned())
        );
    }
    for wrong in ["key", "0123456789abcdef"] {
        let request = with_bearer(request(&api, "/ws/terminal").unwrap(), wrong).unwrap();
        assert_eq!(refused(request).await.unwrap(), (401, "terminal_token_invalid".to_owned()));
    }
    let mut stranger = with_bearer(request(&api, "/ws/terminal").unwrap(), &token).unwrap();
    stranger.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(refused(stranger).await.unwrap(), (403, "origin_not_allowed".to_owned()));
    // It was not used up by any of these.
    Screen::connect(with_bearer(request(&api, "/ws/terminal").unwrap(), &token).unwrap())
        .await
        .unwrap()
        .leave()
        .await
        .unwrap();
    system.stop().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_gets_tokens_and_sees_terminals() {
    let system = system().await;
    let (api, stranger) = (system.api("key"), system.api("other"));
    let session = scripted(&api).await;
    for path in ["terminal/token", "exec"] {
        let path = format!("/api/agents/{}/{path}", session.id);
        let answer = stranger.post(&path, json!({ "command": ["true"] })).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "session_not_found"));
    }
    let listed = stranger.get(&format!("/api/agents/{}/terminals", session.id)).await.unwrap();
    assert_eq!(listed.code(), "session_not_found");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_code() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let base = format!("/api/agents/{}", session.id);
    for name in ["", "a b", ".x", "a/b", &"x".repeat(129)] {
        let answer = api.post(&format!("{base}/terminal/token"), json!({ "terminal": name })).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "terminal_name_invalid"), "{name}");
    }
    let answer = api.delete(&format!("{base}/terminals/none")).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "terminal_not_found"));
    let plain = api.get(&format!("{base}/terminal")).await.unwrap();
    assert_eq!((plain.status.as_u16(), plain.code()), (426, "websocket_expected"));
    for (query, code) in [
        ("cols=0", "terminal_size_invalid"),
        ("rows=1001", "terminal_size_invalid"),
        ("cols=x", "invalid_query"),
    ] {
        let token = token(&api, &session.id, "main").await.unwrap();
        let request =
            with_bearer(request(&api, &format!("{base}/terminal?{query}")).unwrap(), &token).unwrap();
        assert_eq!(refused(request).await.unwrap(), (400, code.to_owned()), "{query}");
    }
    for (body, status, code) in [
        (json!({}), 422, "invalid_request"),
        (json!({ "command": "ls" }), 422, "invalid_request"),
        (json!({ "command": [] }), 400, "invalid_request"),
        (json!({ "command": ["true"], "shell": true }), 422, "invalid_request"),
        (json!({ "command": ["true"], "timeout_seconds": 0 }), 400, "invalid_request"),
        (json!({ "command": ["true"], "cwd": "no/such/folder" }), 404, "file_not_found"),
        (json!({ "command": ["no-such-program-anywhere"] }), 422, "command_not_found"),
    ] {
        let answer = api.post(&format!("{base}/exec"), body.clone()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{body}");
    }
    let keyless = reqwest::Client::new().request(Method::POST, api.url(&format!("{base}/exec"))).send().await;
    assert_eq!(keyless.unwrap().status(), 401);
    system.stop().await.unwrap();
}
