//! What only Docker can show: sessions that cannot see each other, no key in the engine's own records, an engine that is
//! not there, images of other people.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_core::provider::LABEL_CLUSTER;
use agcluster_tests::system::{Provider, Session, System};
use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptions};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::HashMap;

const KEY: &str = "sk-ant-test-42d1e8";

fn agent() -> Value {
    json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions", "model": "claude-sonnet-4-5" })
}

async fn engine() -> Docker {
    Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap()
}

/// Everything the engine knows of a system's containers.
async fn inspected(system: &System) -> Vec<Value> {
    let engine = engine().await;
    let filters =
        HashMap::from([("label".to_owned(), vec![format!("{LABEL_CLUSTER}={}", system.cluster())])]);
    let options =
        ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
    let mut all = Vec::new();
    for container in engine.list_containers(Some(options)).await.unwrap() {
        let id = container.id.unwrap();
        let found = engine.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
        all.push(serde_json::to_value(found).unwrap());
    }
    all
}

async fn bash(session: &Session, command: &str) -> String {
    let answer = session.ask(&format!("@@bash {}", serde_json::to_string(command).unwrap())).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["tools"][0]["output"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_engine_knows_no_key_and_no_token() {
    let system = System::start(Provider::Docker).await.unwrap();
    let session = system.api(KEY).launch(agent()).await.unwrap();
    bash(&session, "true").await;
    let containers = inspected(&system).await;
    assert_eq!(containers.len(), 1);
    let record = containers[0].to_string();
    assert!(!record.contains(KEY), "{record}");
    let environment = containers[0]["Config"]["Env"].to_string();
    assert!(environment.contains("AGCLUSTER_TOKEN_SHA256="), "{environment}");
    assert_eq!(containers[0]["Config"]["Labels"]["agcluster.session"], session.id.as_str());
    system.stop().await.unwrap();
}

#[tokio::test]
async fn two_sessions_cannot_see_each_other() {
    let system = System::start(Provider::Docker).await.unwrap();
    let api = system.api(KEY);
    let (one, two) = (api.launch(agent()).await.unwrap(), api.launch(agent()).await.unwrap());
    assert_eq!(bash(&one, "echo secret > mine.txt; cat mine.txt").await.trim(), "secret");
    assert_eq!(bash(&two, "ls -A /workspace | wc -l").await.trim(), "0");
    let address = |session: &Session| {
        let id = session.id.clone();
        let containers = inspected(&system);
        async move {
            let containers = containers.await;
            let own = containers
                .iter()
                .find(|container| container["Config"]["Labels"]["agcluster.session"] == *id)
                .unwrap();
            let networks = own["NetworkSettings"]["Networks"].as_object().unwrap();
            networks.values().next().unwrap()["IPAddress"].as_str().unwrap().to_owned()
        }
    };
    let (of_one, of_two) = (address(&one).await, address(&two).await);
    assert!(!of_one.is_empty() && of_one != of_two);
    let knock = |seconds: u32, ip: &str| {
        format!(
            "timeout {seconds} bash -c 'exec 3<>/dev/tcp/{ip}/3000' 2>/dev/null && echo open || echo shut"
        )
    };
    assert_eq!(bash(&two, &knock(60, &of_two)).await.trim(), "open", "the check itself works");
    assert_eq!(bash(&two, &knock(3, &of_one)).await.trim(), "shut");
    // Processes are seen by name space alone: each has its own, and none has the machine's.
    let namespace = "readlink /proc/self/ns/pid";
    let (of_one, of_two) = (bash(&one, namespace).await, bash(&two, namespace).await);
    let of_machine = std::fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    assert!(of_one.starts_with("pid:[") && of_one != of_two, "{of_one} {of_two}");
    assert!(of_one.trim() != of_machine && of_two.trim() != of_machine, "{of_one} {of_two} {of_machine}");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_and_the_server_lives() {
    let system = System::start_without_engine().await.unwrap();
    let api = system.api(KEY);
    assert_eq!(api.get("/health").await.unwrap().status, StatusCode::OK);
    let ready = api.get("/ready").await.unwrap();
    assert_eq!((ready.status, ready.code()), (StatusCode::SERVICE_UNAVAILABLE, "not_ready"));
    let refused = api
        .post("/api/agents/launch", json!({ "api_key": KEY, "config_id": "code-assistant" }))
        .await
        .unwrap();
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"));
    for answer in [&ready, &refused] {
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("no Docker engine answers") && detail.contains("DOCKER_HOST"), "{detail}");
    }
    let providers = api.get("/api/providers").await.unwrap();
    assert_eq!(providers.body["providers"][0]["health"]["status"], "unhealthy");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_absent_image_is_said_with_how_to_build_it() {
    let system = System::start_with(Provider::Docker, &["--agent-image", "agcluster/agent:never-built"])
        .await
        .unwrap();
    let refused = system
        .api(KEY)
        .post("/api/agents/launch", json!({ "api_key": KEY, "config": agent() }))
        .await
        .unwrap();
    assert_eq!((refused.status, refused.code()), (StatusCode::FAILED_DEPENDENCY, "provider_precondition"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("never-built") && detail.contains("cargo xtask image"), "{detail}");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_limit_that_cannot_be_enforced_is_a_warning_of_the_launch() {
    let system = System::start(Provider::Docker).await.unwrap();
    let mut config = agent();
    config["resource_limits"] = json!({ "storage_limit": "1g" });
    let session = system.api(KEY).launch(config).await.unwrap();
    let limits =
        system.api(KEY).get("/api/providers").await.unwrap().body["providers"][0]["capabilities"]["limits"]
            .clone();
    let warned = session.launched["warnings"].to_string().contains("storage");
    assert_ne!(limits["storage"].as_bool().unwrap(), warned, "{limits} {}", session.launched["warnings"]);
    system.stop().await.unwrap();
}
