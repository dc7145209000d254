//! What users get wrong, and what they are told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::system::{Answer, Provider, System};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn launch(request: Value) -> Answer {
    let system = System::start(Provider::Memory).await.unwrap();
    let answer = system.api("key").described().post("/api/agents/launch", request).await.unwrap();
    system.stop().await.unwrap();
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.body);
    assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.body);
    answer
}

fn detail(answer: &Answer) -> &str {
    answer.body["detail"].as_str().unwrap()
}

#[tokio::test]
async fn an_unknown_provider_is_told_which_there_are() {
    let answer =
        launch(json!({ "api_key": "k", "config": { "driver": "scripted" }, "provider": "vercel" })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "provider_unknown"));
    assert!(detail(&answer).contains("available: memory"), "{}", detail(&answer));
}

#[tokio::test]
async fn an_unknown_configuration_is_not_found() {
    let answer = launch(json!({ "api_key": "k", "config_id": "no-such-agent" })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "config_not_found"));
}

#[tokio::test]
async fn a_configuration_id_cannot_leave_its_folder() {
    for id in ["../secrets", "..%2Fsecrets", "/etc/passwd", "a/../b", "", "a\u{0}b"] {
        let answer = launch(json!({ "api_key": "k", "config_id": id })).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "config_not_found"), "{id:?}");
        assert!(!detail(&answer).contains("root:"), "{id:?}");
    }
}

#[tokio::test]
async fn either_a_configuration_or_its_id_is_needed() {
    let neither = launch(json!({ "api_key": "k" })).await;
    assert_eq!((neither.status, neither.code()), (StatusCode::BAD_REQUEST, "config_missing"));
    let both = launch(json!({ "api_key": "k", "config_id": "code-assistant", "config": {} })).await;
    assert_eq!((both.status, both.code()), (StatusCode::BAD_REQUEST, "config_ambiguous"));
}

#[tokio::test]
async fn a_launch_needs_a_key() {
    for key in [json!(null), json!(""), json!("  ")] {
        let system = System::start(Provider::Memory).await.unwrap();
        let url = system.api("").described().url("/api/agents/launch");
        let body = json!({ "api_key": key, "config": { "driver": "scripted" } });
        let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "api_key_missing");
        system.stop().await.unwrap();
    }
}

#[tokio::test]
async fn fields_of_the_wrong_type_are_named() {
    let answer = launch(json!({ "api_key": 3 })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request"));
    assert!(detail(&answer).contains("api_key"), "{}", detail(&answer));
    let answer = launch(json!({ "api_key": "k", "mcp_env": { "github": "token" } })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request"));
    assert!(detail(&answer).contains("mcp_env"), "{}", detail(&answer));
    assert!(!detail(&answer).contains("token"), "a credential was shown: {}", detail(&answer));
}

#[tokio::test]
async fn every_mistake_of_a_configuration_is_told_with_its_field() {
    let config = json!({
        "driver": "scripted",
        "allowed_tools": ["Bash", "Chainsaw"],
        "max_turns": "many",
        "resource_limits": { "memory_limit": "4 gigs", "cpu_quota": -1 },
    });
    let answer = launch(json!({ "api_key": "k", "config": config })).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "config_invalid"));
    let fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    for field in
        ["allowed_tools[1]", "max_turns", "resource_limits.memory_limit", "resource_limits.cpu_quota"]
    {
        assert!(fields.contains(&field), "{field} is missing in {fields:?}");
    }
}

#[tokio::test]
async fn credentials_nobody_asked_for_are_refused() {
    let config = json!({ "driver": "scripted" });
    let answer =
        launch(json!({ "api_key": "k", "config": config, "mcp_env": { "github": { "TOKEN": "hidden" } } }))
            .await;
    assert_eq!(
        (answer.status, detail(&answer)),
        (StatusCode::BAD_REQUEST, "mcp_env provided but no mcp_servers configured")
    );
    let config = json!({ "driver": "scripted", "mcp_servers": { "github": { "command": "npx", "env": { "TOKEN": "${TOKEN}" } } } });
    let unknown = json!({ "api_key": "k", "config": config, "mcp_env": { "gitlab": { "TOKEN": "hidden" } } });
    assert_eq!(detail(&launch(unknown).await), "Unknown MCP server 'gitlab' in mcp_env");
    let reserved = json!({ "api_key": "k", "config": config, "mcp_env": { "github": { "ANTHROPIC_API_KEY": "hidden" } } });
    assert_eq!(
        detail(&launch(reserved).await),
        "MCP env key 'ANTHROPIC_API_KEY' is reserved and cannot be overridden"
    );
    let undeclared =
        json!({ "api_key": "k", "config": config, "mcp_env": { "github": { "OTHER": "hidden" } } });
    let answer = launch(undeclared).await;
    assert_eq!(detail(&answer), "MCP env key 'OTHER' not declared in config for server 'github'");
    assert!(!answer.body.to_string().contains("hidden"));
}

#[tokio::test]
async fn a_base_url_must_be_one() {
    let answer = launch(
        json!({ "api_key": "k", "config": { "driver": "scripted" }, "base_url": "file:///etc/passwd" }),
    )
    .await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "base_url_invalid"));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let system = System::start(Provider::Memory).await.unwrap();
    let api = system.api("key").described();
    let request = |body: &'static str, kind: &'static str| {
        api.request(Method::POST, "/api/agents/launch").header("content-type", kind).body(body)
    };
    let broken = api.send(request("{\"api_key\": ", "application/json")).await.unwrap();
    assert_eq!((broken.status, broken.code()), (StatusCode::BAD_REQUEST, "invalid_json"));
    let plain = api.send(request("{}", "text/plain")).await.unwrap();
    assert_eq!((plain.status, plain.code()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_problems_too() {
    let system = System::start(Provider::Memory).await.unwrap();
    let api = system.api("key").described();
    let unknown = api.get("/api/nonsense").await.unwrap();
    assert_eq!((unknown.status, unknown.code()), (StatusCode::NOT_FOUND, "route_not_found"));
    let method = api.delete("/api/configs/").await.unwrap();
    assert_eq!((method.status, method.code()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    assert!(unknown.headers.contains_key("x-request-id"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_chat_without_a_message_or_with_a_picture_that_is_none_is_refused() {
    let system = System::start(Provider::Memory).await.unwrap();
    let session = system.api("key").described().launch(json!({ "driver": "scripted" })).await.unwrap();
    let answer = session.ask("   ").await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "no_user_message"));
    let path = format!("/api/agents/{}/chat", session.id);
    let role = json!({ "messages": [{ "role": "wizard", "content": "abracadabra" }] });
    let answer = system.api("key").described().post(&path, role).await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request"));
    assert!(detail(&answer).contains("wizard"), "{}", detail(&answer));
    for body in
        [json!({ "messages": [] }), json!({ "messages": [{ "role": "system", "content": "be kind" }] })]
    {
        let answer = system.api("key").described().post(&path, body.clone()).await.unwrap();
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "no_user_message"), "{body}");
        assert!(detail(&answer).contains("send one"), "{}", detail(&answer));
    }
    for (kind, data, code) in [
        ("image/png", "bm90IGEgcGljdHVyZQ==", "image_invalid"),
        ("image/png", "no base64!", "image_invalid"),
        ("image/bmp", "aGk=", "image_type_unsupported"),
    ] {
        let source = json!({ "type": "base64", "media_type": kind, "data": data });
        let body = json!({ "message": [{ "type": "image", "source": source }] });
        let answer = system.api("key").described().post(&path, body).await.unwrap();
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, code), "{kind} {data}");
        assert_eq!(answer.body["errors"][0]["field"], "message[0]", "{}", answer.body);
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_broken_configuration_file_is_reported_and_keeps_no_other_from_working() {
    let system = System::start(Provider::Memory).await.unwrap();
    let mut changes = system.configs().files().changes();
    std::fs::write(system.agent_configs().join("broken.yaml"), "id: broken\nname: [").unwrap();
    assert!(changes.changed().await);
    let api = system.api("key").described();
    let list = api.get("/api/configs").await.unwrap();
    assert_eq!(list.body["problems"][0]["file"], "broken.yaml");
    assert_eq!(list.body["total"], 5);
    let answer =
        api.post("/api/agents/launch", json!({ "api_key": "k", "config_id": "broken" })).await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "config_invalid"));
    assert!(!detail(&answer).contains(system.agent_configs().to_str().unwrap()), "{}", detail(&answer));
    system.stop().await.unwrap();
}
