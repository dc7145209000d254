//! The server over HTTP.

use super::*;
use crate::model_api::Outcome;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::future::Future;
use std::time::Duration;

async fn start() -> ModelApi {
    let options = Options { api_keys: vec!["good".to_owned()], ..Options::default() };
    ModelApi::start(options).await.expect("a free port of the loopback interface")
}

/// Nothing here takes long: who waits this long waits for what does not come.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes soon")
}

fn client() -> Client {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().expect("a client")
}

fn post(api: &ModelApi, path: &str, body: &Value) -> RequestBuilder {
    let request = client().post(format!("{}{path}", api.url_for("127.0.0.1")));
    request.header("x-api-key", "good").header("anthropic-version", "2023-06-01").json(body)
}

fn body(prompt: &str, stream: bool) -> Value {
    let tools = json!([{"name": "Bash", "input_schema": {"type": "object"}}]);
    let messages = json!([{"role": "user", "content": prompt}]);
    json!({"model": "m", "max_tokens": 100, "stream": stream, "tools": tools, "messages": messages})
}

async fn ask(api: &ModelApi, prompt: &str) -> Response {
    soon(post(api, "/v1/messages?beta=true", &body(prompt, true)).send()).await.expect("an answer")
}

async fn json_of(response: Response) -> Value {
    soon(response.json()).await.expect("JSON")
}

/// Reads until the text has come.
async fn read_until(response: &mut Response, text: &str) {
    let mut read = String::new();
    while !read.contains(text) {
        let chunk =
            soon(response.chunk()).await.expect("the stream goes on").expect("the stream does not end");
        read.push_str(&String::from_utf8_lossy(&chunk));
    }
}

/// Reads what is still under way until the connection breaks.
async fn read_until_broken(mut response: Response) {
    while let Ok(chunk) = soon(response.chunk()).await {
        assert!(chunk.is_some(), "the answer has a proper end");
    }
}

#[tokio::test]
async fn answers_are_streamed_or_whole() {
    let api = start().await;
    let streamed = ask(&api, "@@text hello there").await;
    assert_eq!(streamed.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert!(streamed.headers()["request-id"].to_str().is_ok_and(|id| id.starts_with("req_")));
    let text = soon(streamed.text()).await.expect("text");
    assert!(
        text.starts_with("event: message_start\n") && text.ends_with("{\"type\":\"message_stop\"}\n\n"),
        "{text}"
    );

    let whole = post(&api, "/v1/messages", &body("@@repeat 3 la ", false)).send();
    let whole = json_of(soon(whole).await.expect("an answer")).await;
    assert_eq!(whole["content"][0]["text"], "la la la ");

    let count = post(&api, "/v1/messages/count_tokens", &body("hello", false)).send();
    assert!(json_of(soon(count).await.expect("an answer")).await["input_tokens"].as_u64() > Some(10));

    let head = client().head(api.url_for("127.0.0.1")).send();
    assert_eq!(soon(head).await.expect("an answer").status(), 200);
    api.assert_clean();
    let outcomes: Vec<_> = api.requests().iter().map(|request| request.outcome()).collect();
    assert_eq!(outcomes, [Some(Outcome::Answered(200)); 4]);
}

#[tokio::test]
async fn what_is_recorded_can_be_asked_for() {
    let api = start().await;
    let request =
        post(&api, "/v1/messages", &body("@@bash true", true)).header("X-Claude-Code-Session-Id", "s1");
    soon(request.send()).await.expect("an answer");
    let recorded = soon(api.wait_for(|request| request.session() == Some("s1"))).await;
    assert_eq!(recorded.api_key(), Some("good"));
    assert_eq!(recorded.tools(), ["Bash"]);
    assert_eq!(recorded.user_texts(), ["@@bash true"]);
    assert_eq!(recorded.path(), "/v1/messages");
    assert_eq!(api.requests_of("s1").len(), 1);
    assert_eq!(api.requests_of("s2").len(), 0);
}

#[tokio::test]
async fn wrong_keys_are_refused_as_the_vendor_does() {
    let api = start().await;
    let refused = |key: Option<&'static str>| {
        let mut request =
            client().post(format!("{}/v1/messages", api.url_for("127.0.0.1"))).json(&body("x", true));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        async move {
            let answer = soon(request.send()).await.expect("an answer");
            assert_eq!(answer.status(), 401);
            json_of(answer).await
        }
    };
    let error = refused(Some("bad")).await;
    assert_eq!(error["type"], "error");
    assert_eq!(error["error"], json!({"type": "authentication_error", "message": "invalid x-api-key"}));
    // A wrong key may be what a test tries; no key is a client's mistake.
    api.assert_clean();
    refused(None).await;
    assert_eq!(api.violations().len(), 1);
}

#[tokio::test]
async fn wrong_requests_are_violations() {
    let api = start().await;
    let mut wrong = body("@@text hello", true);
    wrong["max_tokens"] = json!(-1);
    wrong["messages"][0]["role"] = json!("robot");
    let answer = soon(post(&api, "/v1/messages", &wrong).send()).await.expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(json_of(answer).await["error"]["type"], "invalid_request_error");
    assert_eq!(ask(&api, "@@tool Read {}").await.status(), 400);
    assert_eq!(soon(post(&api, "/v1/models", &json!({})).send()).await.expect("an answer").status(), 404);
    let said: Vec<_> = api.violations().iter().map(Violation::to_string).collect();
    assert_eq!(said.len(), 5, "{said:?}");
    assert!(said[0].starts_with("request 1: max_tokens:"), "{said:?}");
    assert!(said[3].starts_with("request 2: the script calls Read"), "{said:?}");
    assert_eq!(said[4], "request 3: POST /v1/models is not served");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| api.assert_clean())).is_err());
}

#[tokio::test]
async fn errors_end_after_their_count() {
    let api = start().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&api, "@@error 529 2\n@@text ok").await.status().as_u16());
    }
    assert_eq!(statuses, [529, 529, 200, 200]);
    let limited = ask(&api, "@@error 429").await;
    assert_eq!(limited.headers()["retry-after"], "1");
    assert_eq!(json_of(limited).await["error"]["type"], "rate_limit_error");
    assert_eq!(ask(&api, "@@error 429").await.status(), 429);
    api.assert_clean();
}

#[tokio::test]
async fn a_gate_holds_the_answer_until_it_is_opened() {
    let api = start().await;
    let mut held = ask(&api, "@@gate middle first second").await;
    read_until(&mut held, "first").await;
    soon(api.reached("middle")).await;
    assert_eq!(api.requests()[0].outcome(), None);
    api.open("middle");
    read_until(&mut held, "message_stop").await;
    // It stays open.
    let again = ask(&api, "@@gate middle first second").await;
    assert!(soon(again.text()).await.expect("text").contains("message_stop"));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let api = start().await;
    for prompt in ["@@hang", "@@gate never first second"] {
        let mut held = ask(&api, prompt).await;
        read_until(&mut held, "content_block_start").await;
        drop(held);
        let gone = |request: &RecordedRequest| {
            request.user_texts() == [prompt] && request.outcome() == Some(Outcome::Disconnected)
        };
        soon(api.wait_for(gone)).await;
    }
    let whole = client_of_hang(&api);
    let waiting = tokio::spawn(whole.send());
    soon(api.wait_for(|request| request.number() == 3)).await;
    waiting.abort();
    soon(api.wait_for(|request| request.number() == 3 && request.outcome() == Some(Outcome::Disconnected)))
        .await;
}

fn client_of_hang(api: &ModelApi) -> RequestBuilder {
    post(api, "/v1/messages", &body("@@hang", false))
}

#[tokio::test]
async fn a_cut_answer_breaks_after_its_first_half() {
    let api = start().await;
    let mut cut = ask(&api, "@@cut first second").await;
    read_until(&mut cut, "first").await;
    read_until_broken(cut).await;
    assert_eq!(
        soon(api.wait_for(|request| request.outcome().is_some())).await.outcome(),
        Some(Outcome::Broken)
    );
}

#[tokio::test]
async fn stopping_breaks_off_and_frees_the_port() {
    let api = start().await;
    let address = api.address();
    let mut held = ask(&api, "@@hang").await;
    read_until(&mut held, "content_block_start").await;
    soon(api.stop()).await;
    read_until_broken(held).await;
    let options = Options { listen: address, ..Options::default() };
    ModelApi::start(options).await.expect("the port is free");
}

#[tokio::test]
async fn dropping_stops_too() {
    let api = start().await;
    let mut held = ask(&api, "@@hang").await;
    read_until(&mut held, "content_block_start").await;
    drop(api);
    read_until_broken(held).await;
}
