use std::net::Ipv4Addr;
use std::time::Duration;

use agcluster_protocol::Secret;
use axum::http::HeaderMap;
use axum::routing::{any, post};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

const KEY: &str = "sk-the-real-key";

/// A stream of what a channel receives.
fn receiver(from: mpsc::Receiver<Bytes>) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(from, |mut from| async { from.recv().await.map(|bytes| (Ok(bytes), from)) })
}

/// Serves a model API; gives its base URL.
async fn model(router: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

async fn proxy(base_url: &str) -> (ModelProxy, String, reqwest::Client) {
    let access = ModelAccess { base_url: base_url.to_owned(), api_key: Secret::new(KEY) };
    let proxy = ModelProxy::open(&access).await.unwrap();
    let token = proxy.new_token().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    (proxy, token, reqwest::Client::builder().no_proxy().build().unwrap())
}

/// Answers with what it was asked.
async fn echo(request: Request) -> Response {
    let headers: HeaderMap = request.headers().clone();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let answer = json!({
        "method": request.method().as_str(), "uri": request.uri().to_string(), "key": text("x-api-key"),
        "authorization": text("authorization"), "beta": text("anthropic-beta"), "hop": text("x-hop"),
    });
    let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
    let answer = json!({"request": answer, "body": String::from_utf8(body.to_vec()).unwrap()});
    (StatusCode::IM_A_TEAPOT, [("x-model", "yes")], answer.to_string()).into_response()
}

#[tokio::test]
async fn a_request_goes_through_with_the_key_in_place_of_the_token() {
    let base = model(Router::new().fallback(any(echo))).await;
    let (proxy, token, client) = proxy(&format!("{base}/prefix/")).await;
    let url = format!("{}/v1/messages?beta=true", proxy.base_url());
    let sent = client
        .post(&url)
        .header("x-api-key", &token)
        .header("anthropic-beta", "a,b")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .body("hello");
    let answer = sent.send().await.unwrap();
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["x-model"], "yes");
    let answer: Value = answer.json().await.unwrap();
    let expected = json!({
        "method": "POST", "uri": "/prefix/v1/messages?beta=true", "key": KEY, "authorization": null, "beta": "a,b",
        "hop": null,
    });
    assert_eq!(answer, json!({"request": expected, "body": "hello"}));
}

#[tokio::test]
async fn only_the_newest_token_opens() {
    let base = model(Router::new().fallback(any(echo))).await;
    let (proxy, old, client) = proxy(&base).await;
    let new = proxy.new_token().unwrap();
    let status = async |name: &str, value: &str| {
        client.get(proxy.base_url()).header(name, value).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("x-api-key", &old).await, 401);
    assert_eq!(status("x-api-key", KEY).await, 401);
    assert_eq!(status("x-none", "x").await, 401);
    assert_eq!(status("x-api-key", &new).await, 418);
    assert_eq!(status("authorization", &format!("Bearer {new}")).await, 418);
}

#[tokio::test]
async fn both_bodies_are_streamed() {
    // The model answers each piece as it comes: neither side ever sees a whole body.
    let router = Router::new().route(
        "/v1/messages",
        post(|request: Request| async { Body::from_stream(request.into_body().into_data_stream()) }),
    );
    let base = model(router).await;
    let (proxy, token, client) = proxy(&base).await;
    let (pieces, body) = mpsc::channel(1);
    let body = reqwest::Body::wrap_stream(receiver(body));
    let sent = client.post(format!("{}/v1/messages", proxy.base_url())).header("x-api-key", token).body(body);
    let mut answer = None;
    let mut sent = Box::pin(sent.send());
    for piece in ["one", "two", "three"] {
        pieces.send(piece.into()).await.unwrap();
        if answer.is_none() {
            answer = Some(sent.as_mut().await.unwrap().bytes_stream());
        }
        let came = answer.as_mut().unwrap().next().await.unwrap().unwrap();
        assert_eq!(came, piece);
    }
    drop(pieces);
    assert!(answer.unwrap().next().await.is_none());
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_here_too() {
    let (pieces, body) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(Some(body)));
    let router = Router::new().fallback(move || async move {
        let body = body.lock().unwrap().take().unwrap();
        let broken = futures::stream::once(async { Err(io::Error::other("gone")) });
        Body::from_stream(receiver(body).chain(broken))
    });
    let (proxy, token, client) = proxy(&model(router).await).await;
    pieces.send("half".into()).await.unwrap();
    let answer = client.get(proxy.base_url()).header("x-api-key", token).send().await.unwrap();
    let mut answer = answer.bytes_stream();
    assert_eq!(answer.next().await.unwrap().unwrap(), "half");
    drop(pieces);
    assert!(answer.next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_is_an_error_in_the_vendors_shape_without_the_key() {
    let (proxy, token, client) = proxy("http://user:password@127.0.0.1:1").await;
    let answer = client.post(proxy.base_url()).header("x-api-key", token).send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["type"], "error");
    assert_eq!(value["error"]["type"], UNREACHABLE);
    assert!(value["error"]["message"].as_str().unwrap().contains("127.0.0.1 cannot be reached"), "{text}");
    assert!(!text.contains(KEY) && !text.contains("password"), "{text}");
}

#[tokio::test]
async fn a_wrong_address_or_key_is_refused_with_a_sentence() {
    for (base_url, key, says) in [
        ("not a url", KEY, "is not a URL"),
        ("ftp://x", KEY, "http:// or https://"),
        ("http://x", "a\nb", "no HTTP header can hold"),
    ] {
        let access = ModelAccess { base_url: base_url.to_owned(), api_key: Secret::new(key) };
        let error = ModelProxy::open(&access).await.err().unwrap();
        assert!(matches!(&error, DriverError::Invalid(text) if text.contains(says)), "{error}");
    }
}

#[tokio::test]
async fn the_port_closes_with_the_proxy() {
    let (proxy, _, client) = proxy(&model(Router::new()).await).await;
    let url = proxy.base_url();
    drop(proxy);
    let closed = async {
        while client.get(&url).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
}
