//! What one can do with a terminal.

use serde_json::json;

use super::{scripted, soon, system};
use agcluster_tests::system::Screen;
use agcluster_tests::system::screen::{request, token};

#[tokio::test]
async fn a_terminal_is_typed_into_and_shows_what_comes_of_it() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open_with(&api, &session.id, "main", "?cols=100&rows=30").await.unwrap();
    let info = screen.frame("info").await.unwrap();
    assert!(info["data"].as_str().unwrap().starts_with("Connected to /"), "{info}");
    screen.write("stty size; echo $((6*7))-ready\r").await.unwrap();
    screen.until("30 100").await.unwrap();
    screen.until("42-ready").await.unwrap();
    screen.send(json!({ "type": "resize", "cols": 71, "rows": 19 })).await.unwrap();
    screen.write("stty size\r").await.unwrap();
    screen.until("19 71").await.unwrap();
    let told = screen.frame("resize").await.unwrap();
    assert_eq!((&told["cols"], &told["rows"]), (&json!(71), &json!(19)));
    screen.write("exit 3\r").await.unwrap();
    let close = screen.frame("close").await.unwrap();
    assert_eq!((&close["data"], &close["code"]), (&json!("Terminal exited (code=3)"), &json!(3)));
    assert_eq!(screen.end().await.unwrap().0, 1000);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_browser_shows_its_token_as_a_subprotocol() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let token = token(&api, &session.id, "main").await.unwrap();
    let mut request = request(&api, "/ws/terminal").unwrap();
    let protocols = format!("agcluster.terminal, token.{token}");
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    request.headers_mut().insert("origin", "http://localhost:3000".parse().unwrap());
    let (_, response) = soon(tokio_tungstenite::connect_async(request)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "agcluster.terminal");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_terminal_is_found_again_and_gone_on_with_where_it_was_left() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.write("x=6; echo first-$((x*7))\r").await.unwrap();
    screen.until("first-42").await.unwrap();
    let offset = screen.offset().unwrap();
    screen.leave().await.unwrap();
    // All that is kept, or only what is new.
    let mut again = Screen::open(&api, &session, "main").await.unwrap();
    again.until("first-42").await.unwrap();
    let mut on = Screen::open_with(&api, &session.id, "main", &format!("?after={offset}")).await.unwrap();
    on.write("echo second-$((x*8))\r").await.unwrap();
    on.until("second-48").await.unwrap();
    again.until("second-48").await.unwrap();
    assert!(!on.text.contains("first-42"), "{}", on.text);
    // Another name is another shell.
    let mut other = Screen::open(&api, &session, "other").await.unwrap();
    other.write("echo x-$x-\r").await.unwrap();
    other.until("x--").await.unwrap();
    let listed = api.get(&format!("/api/agents/{}/terminals", session.id)).await.unwrap();
    assert_eq!(listed.body["terminals"].as_array().unwrap().len(), 2, "{}", listed.body);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn characters_come_whole_however_the_output_is_cut() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    // A character of three bytes, of which the last one comes later.
    screen.write("printf 'a-\\342\\202'; sleep 0.2; printf '\\254-z\\n'; printf '\\360\\237\\246\\200%.0s' $(seq 9000); echo all-$((1+1))\r").await.unwrap();
    screen.until("all-2").await.unwrap();
    assert!(screen.text.contains("a-€-z"), "{}", screen.text);
    assert_eq!(screen.text.matches('🦀').count(), 9000);
    assert!(!screen.text.contains('\u{fffd}'));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_terminal_is_ended_by_order_with_what_runs_in_it() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.write("sh -c 'echo $((40+2))-ready; exec sleep 1000'\r").await.unwrap();
    screen.until("42-ready").await.unwrap();
    let path = format!("/api/agents/{}/terminals/main", session.id);
    let ended = api.request(reqwest::Method::DELETE, &path).send().await.unwrap();
    assert_eq!(ended.status(), 204);
    screen.frame("close").await.unwrap();
    assert_eq!(screen.end().await.unwrap().0, 1000);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_none_is_answered_and_the_terminal_goes_on() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.send(json!({ "type": "paste" })).await.unwrap();
    let error = screen.frame("error").await.unwrap();
    assert_eq!(error["code"], "invalid_frame");
    screen.write("echo $((6*7))-still\r").await.unwrap();
    screen.until("42-still").await.unwrap();
    screen.write(&"x".repeat(300 * 1024)).await.unwrap();
    assert_eq!(screen.end().await.unwrap().0, 1009);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_session_ends_its_terminals() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.frame("info").await.unwrap();
    let (deleted, closed) = tokio::join!(session.delete(), screen.end());
    assert_eq!(deleted.unwrap().status, 200);
    assert_eq!(closed.unwrap().0, 1000);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_server_ends_its_terminals() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.frame("info").await.unwrap();
    let (stopped, closed) = tokio::join!(system.stop(), screen.end());
    stopped.unwrap();
    assert_eq!(closed.unwrap().0, 1001);
}
