//! Clients written for the earlier system work unchanged on the routes that it had.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::system::{Api, Provider, System};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn system() -> (System, Api) {
    let system = System::start(Provider::Memory).await.unwrap();
    let api = system.api("sk-test");
    (system, api)
}

#[tokio::test]
async fn root_and_health_answer_in_the_known_shapes() {
    let (system, api) = system().await;
    let root = api.get("/").await.unwrap();
    assert_eq!((root.status, &root.body["status"]), (StatusCode::OK, &json!("running")));
    assert_eq!(root.body["service"], "AgCluster Container Runtime");
    assert!(root.body["version"].is_string());
    let health = api.get("/health").await.unwrap();
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &json!("healthy")));
    assert_eq!(health.body["agent_image"], "agcluster/agent:latest");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_five_presets_are_listed_with_and_without_the_slash() {
    let (system, api) = system().await;
    for path in ["/api/configs/", "/api/configs"] {
        let list = api.get(path).await.unwrap();
        assert_eq!((list.status, &list.body["total"]), (StatusCode::OK, &json!(5)), "{path}");
        let ids: Vec<&str> = list.body["configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|config| config["id"].as_str().unwrap())
            .collect();
        assert_eq!(
            ids,
            ["code-assistant", "data-analysis", "fullstack-team", "github-code-review", "research-agent"]
        );
        for config in list.body["configs"].as_array().unwrap() {
            for field in [
                "name",
                "description",
                "version",
                "allowed_tools",
                "has_mcp_servers",
                "has_sub_agents",
                "permission_mode",
            ] {
                assert!(!config[field].is_null(), "{field} of {config}");
            }
        }
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_configuration_has_every_field_nulls_included() {
    let (system, api) = system().await;
    let config = api.get("/api/configs/fullstack-team").await.unwrap();
    assert_eq!(config.status, StatusCode::OK);
    for field in [
        "id",
        "name",
        "description",
        "version",
        "allowed_tools",
        "system_prompt",
        "mcp_servers",
        "permission_mode",
        "agents",
        "resource_limits",
        "max_turns",
        "model",
        "cwd",
        "env",
        "setting_sources",
        "created_at",
        "updated_at",
    ] {
        assert!(config.body.as_object().unwrap().contains_key(field), "{field} is missing");
    }
    assert_eq!(config.body["agents"].as_object().unwrap().len(), 3);
    assert_eq!(api.get("/api/configs/none").await.unwrap().status, StatusCode::NOT_FOUND);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn launch_chat_look_and_delete_as_the_earlier_clients_do() {
    let (system, api) = system().await;
    let launch = json!({ "api_key": "sk-test", "config": { "id": "mine", "name": "Mine", "driver": "scripted" }, "mcp_env": null });
    let launched = api.post("/api/agents/launch", launch).await.unwrap();
    assert_eq!((launched.status, &launched.body["status"]), (StatusCode::OK, &json!("running")));
    let id = launched.body["session_id"].as_str().unwrap().to_owned();

    let chat = json!({ "messages": [{ "role": "user", "content": "hello" }], "sessionId": id });
    let response = api.request(Method::POST, "/api/agents/chat").json(&chat).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let text = response.text().await.unwrap();
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(*data.last().unwrap(), "[DONE]");
    let frames: Vec<Value> =
        data[..data.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert_eq!(*frames.last().unwrap(), json!({ "type": "complete", "status": "success" }));
    // What those clients do: join what is content.
    let content: String = frames
        .iter()
        .filter(|frame| frame["type"] == "message" && frame["data"]["type"] == "content")
        .map(|frame| frame["data"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(content, "hello");
    for frame in frames.iter().filter(|frame| frame["type"] == "message") {
        assert_eq!(frame["msg_type"], frame["data"]["type"]);
    }

    let list = api.get("/api/agents/sessions").await.unwrap();
    assert_eq!(list.body["total"], 1);
    let session = &list.body["sessions"][0];
    for field in ["session_id", "agent_id", "config_id", "status", "created_at", "last_active"] {
        assert!(session[field].is_string(), "{field} of {session}");
    }
    let deleted = api.delete(&format!("/api/agents/sessions/{id}")).await.unwrap();
    assert_eq!((deleted.status, &deleted.body["status"]), (StatusCode::OK, &json!("success")));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn refusals_have_the_known_statuses_and_a_detail() {
    let (system, api) = system().await;
    let chat = json!({ "messages": [{ "role": "user", "content": "hello" }] });
    let unauthorised =
        reqwest::Client::new().post(api.url("/api/agents/chat")).json(&chat).send().await.unwrap();
    assert_eq!(unauthorised.status(), StatusCode::UNAUTHORIZED);
    assert!(unauthorised.json::<Value>().await.unwrap()["detail"].is_string());
    let unnamed = api.post("/api/agents/chat", chat.clone()).await.unwrap();
    assert_eq!(unnamed.status, StatusCode::BAD_REQUEST);
    assert!(unnamed.body["detail"].as_str().unwrap().starts_with("Session ID required"));
    let mut unknown = chat;
    unknown["sessionId"] = "conv-00000000-0000-0000-0000-000000000000".into();
    assert_eq!(api.post("/api/agents/chat", unknown).await.unwrap().status, StatusCode::NOT_FOUND);
    let body = api.post("/api/agents/chat", json!({ "messages": "hello" })).await.unwrap();
    assert_eq!(body.status, StatusCode::UNPROCESSABLE_ENTITY);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn looking_at_a_session_does_not_keep_it_alive() {
    let (system, api) = system().await;
    let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
    let active = || async { session.get().await.unwrap().body["last_active"].as_str().unwrap().to_owned() };
    let first = active().await;
    api.get("/api/agents/sessions").await.unwrap();
    assert_eq!(active().await, first);
    session.ask("hello").await.unwrap();
    assert_ne!(active().await, first);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn browsers_of_the_allowed_origins_may_call_and_others_may_not() {
    let (system, api) = system().await;
    let preflight = |origin: &'static str| {
        reqwest::Client::new()
            .request(Method::OPTIONS, api.url("/api/agents/launch"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "content-type,authorization,x-session-id,x-stainless-os,x-openwebui-chat-id",
            )
            .send()
    };
    let allowed = preflight("http://localhost:3000").await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    // An SDK in a browser has headers of its own.
    let headers = allowed.headers()["access-control-allow-headers"].to_str().unwrap();
    for header in ["authorization", "x-session-id", "x-stainless-os", "x-openwebui-chat-id"] {
        assert!(headers.contains(header), "{headers}");
    }
    assert_eq!(allowed.headers()["access-control-max-age"], "600");
    let other = preflight("http://evil.example").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    system.stop().await.unwrap();
}
