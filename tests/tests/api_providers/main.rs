//! Where sessions can be launched: what is listed, what is taken, and what a list of providers does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod lifetime;
mod wrong_settings;

use agcluster_tests::system::{Answer, Provider, System, no_engine};
use reqwest::StatusCode;
use serde_json::{Value, json};

const AGENT: &str = r#"{ "driver": "scripted" }"#;

/// A server on memory, with Docker besides it, whose engine is not there.
async fn system(arguments: &[&str]) -> System {
    System::start_configured(Provider::Memory, &[no_engine()], arguments).await.unwrap()
}

async fn launch(system: &System, provider: Value) -> Answer {
    let agent: Value = serde_json::from_str(AGENT).unwrap();
    let request = json!({ "api_key": "key", "config": agent, "provider": provider });
    system.api("key").post("/api/agents/launch", request).await.unwrap()
}

fn detail(answer: &Answer) -> &str {
    answer.body["detail"].as_str().unwrap()
}

#[tokio::test]
async fn every_known_platform_is_listed_with_what_it_can_do_or_what_it_lacks() {
    let system = system(&[]).await;
    let answer = system.api("key").get("/api/providers").await.unwrap().body;
    let named = |name: &str| {
        answer["providers"].as_array().unwrap().iter().find(|p| p["name"] == name).cloned().unwrap()
    };
    assert_eq!(answer["default"], json!(["memory"]));
    let memory = named("memory");
    assert_eq!((&memory["configured"], &memory["default"]), (&json!(true), &json!(true)));
    assert_eq!(memory["health"]["status"], "healthy");
    assert_eq!(memory["capabilities"]["isolation"], "none");
    assert!(memory["limits"]["enforced"].is_object() && memory["limits"]["lifetime"].is_object());
    let docker = named("docker");
    assert_eq!((&docker["configured"], &docker["default"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&docker["health"]["status"], &docker["health"]["code"]),
        (&json!("unhealthy"), &json!("unavailable"))
    );
    for platform in answer["providers"].as_array().unwrap() {
        let missing = platform["missing"].as_str().unwrap_or_default();
        assert_eq!(platform["configured"] == true, missing.is_empty(), "{platform}");
    }
    assert!(named("process")["missing"].as_str().unwrap().contains("AGCLUSTER_PROVIDERS"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_goes_on_to_who_has_room_and_the_session_stays_there() {
    let system = system(&[]).await;
    let launched = launch(&system, json!(["docker", "memory"])).await;
    assert_eq!(
        (launched.status, &launched.body["provider"]),
        (StatusCode::OK, &json!("memory")),
        "{}",
        launched.body
    );
    let warnings = launched.body["warnings"].to_string();
    assert!(warnings.contains("it runs on memory, because docker does not answer"), "{warnings}");
    let path = format!("/api/agents/sessions/{}", launched.body["session_id"].as_str().unwrap());
    let api = system.api("key");
    assert_eq!(api.get(&path).await.unwrap().body["provider"], "memory");
    assert_eq!(api.get("/api/agents/sessions").await.unwrap().body["sessions"][0]["provider"], "memory");
    assert_eq!(api.delete(&path).await.unwrap().status, StatusCode::OK);
    assert_eq!(
        system.sessions().providers().get("memory").unwrap().list(Default::default()).await.unwrap(),
        []
    );
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_default_can_be_a_list_too() {
    let system = system(&["--container-provider=docker,memory"]).await;
    let api = system.api("key");
    let ready = api.get("/ready").await.unwrap();
    assert_eq!((ready.status, &ready.body["provider"]), (StatusCode::OK, &json!("memory")));
    assert_eq!(api.get("/api/providers").await.unwrap().body["default"], json!(["docker", "memory"]));
    let launched = launch(&system, Value::Null).await;
    assert_eq!(launched.body["provider"], "memory", "{}", launched.body);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn one_name_never_falls_back() {
    let system = system(&[]).await;
    let answer = launch(&system, json!("docker")).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"));
    assert!(detail(&answer).starts_with("docker create: "), "{}", detail(&answer));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_with_what_can() {
    let system = system(&[]).await;
    for (provider, said) in [
        (json!("podmann"), "there is no provider \"podmann\"; available: docker, memory"),
        (json!(["memory", "podmann"]), "there is no provider \"podmann\"; available: docker, memory"),
        (json!("docker,memory"), "there is no provider \"docker,memory\"; available: docker, memory"),
        (json!("process"), "the provider \"process\" is not configured: "),
    ] {
        let answer = launch(&system, provider).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "provider_unknown"));
        assert!(detail(&answer).starts_with(said), "{}", detail(&answer));
        assert!(detail(&answer).ends_with("; available: docker, memory"), "{}", detail(&answer));
    }
    for provider in [json!(7), json!([]), json!([7])] {
        let answer = launch(&system, provider).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request"));
        assert!(detail(&answer).contains("provider"), "{}", detail(&answer));
    }
    system.stop().await.unwrap();
}
