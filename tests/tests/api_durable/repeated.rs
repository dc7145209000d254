//! Requests with an idempotency key.

use super::*;

async fn launch(api: &Api, key: &str, body: Value) -> Answer {
    let request = api.request(Method::POST, "/api/agents/launch").header("idempotency-key", key);
    api.send(request.json(&body)).await.unwrap()
}

#[tokio::test]
async fn a_launch_that_is_repeated_gives_the_same_session() {
    let system = system().await;
    let api = system.api("key").described();
    let body = json!({ "api_key": "key", "config": { "driver": "scripted" } });
    let (first, second) = tokio::join!(launch(&api, "a", body.clone()), launch(&api, "a", body.clone()));
    assert_eq!(
        (first.status, second.status),
        (StatusCode::OK, StatusCode::OK),
        "{} {}",
        first.body,
        second.body
    );
    assert_eq!(first.body["session_id"], second.body["session_id"]);
    assert_eq!(api.get("/api/agents/sessions").await.unwrap().body["total"], 1);

    let other = json!({ "api_key": "key", "config": { "driver": "scripted", "name": "other" } });
    assert_eq!(refusal(&launch(&api, "a", other.clone()).await), (422, "idempotency_key_reused"));
    let another = launch(&api, "b", other).await;
    assert_ne!(another.body["session_id"], first.body["session_id"]);
    let somebody = json!({ "api_key": "yours", "config": { "driver": "scripted" } });
    let theirs = launch(&system.api("yours").described(), "a", somebody).await;
    assert_eq!(theirs.status, StatusCode::OK, "keys of two owners have nothing to do with each other");
    assert_ne!(theirs.body["session_id"], first.body["session_id"]);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_repeated_gives_the_same_turn() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let key = [("idempotency-key", "a")];
    let body = json!({ "message": "@@say once" });
    let first = send(&api, &session, &key, body.clone()).await;
    assert_eq!((first.status, &first.body["content"]), (StatusCode::OK, &json!("once")));
    let second = send(&api, &session, &key, body.clone()).await;
    assert_eq!(second.body, first.body);
    assert_eq!(api.get("/api/jobs").await.unwrap().body["jobs"].as_array().unwrap().len(), 1);

    let other = send(&api, &session, &key, json!({ "message": "@@say twice" })).await;
    assert_eq!(refusal(&other), (422, "idempotency_key_reused"));
    let elsewhere = scripted(&api).await;
    let other = send(&api, &elsewhere, &key, body.clone()).await;
    assert_eq!(refusal(&other), (422, "idempotency_key_reused"), "another route");
    let route = api.request(Method::POST, "/api/agents/launch").header("idempotency-key", "a");
    let other =
        api.send(route.json(&json!({ "api_key": "key", "config": { "driver": "scripted" } }))).await.unwrap();
    assert_eq!(refusal(&other), (422, "idempotency_key_reused"), "a launch is no message");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let long = "x".repeat(256);
    for bad in ["", &*long, "a\tb"] {
        let body = json!({ "api_key": "key", "config": { "driver": "scripted" } });
        assert_eq!(refusal(&launch(&api, bad, body).await), (400, "idempotency_key_invalid"), "{bad:?}");
        let answer = send(&api, &session, &[("idempotency-key", bad)], json!({ "message": "x" })).await;
        assert_eq!(refusal(&answer), (400, "idempotency_key_invalid"), "{bad:?}");
    }
    let again = send(&api, &session, &[("last-event-id", "1")], json!({ "message": "x" })).await;
    assert_eq!(refusal(&again), (400, "idempotency_key_missing"), "it would be done twice");
    let headers = [("idempotency-key", "k"), ("last-event-id", "9999")];
    let future = send(&api, &session, &headers, json!({ "message": "x" })).await;
    assert_eq!(refusal(&future), (400, "cursor_in_future"));
    assert_eq!(api.get("/api/jobs").await.unwrap().body["jobs"], json!([]), "nothing was begun");
    system.stop().await.unwrap();
}
