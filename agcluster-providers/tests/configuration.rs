//! The configuration files that are shipped, what is refused in others, and what the pages say of both.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "configuration/pages.rs"]
mod pages;

use std::path::Path;

use agcluster_core::provider::{ErrorKind, ProviderFactory};
use agcluster_providers::docker::DockerConfig;
use agcluster_providers::process::ProcessConfig;
use serde_json::{Value, json};

fn shipped(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers").join(name);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn factory() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    factory
}

#[test]
fn the_shipped_files_are_the_defaults() {
    let docker: DockerConfig = serde_json::from_value(shipped("docker.yaml")).unwrap();
    assert_eq!(docker, DockerConfig::default());
    let process: ProcessConfig = serde_json::from_value(shipped("process.yaml")).unwrap();
    assert_eq!(process, ProcessConfig::default());
}

#[tokio::test]
async fn every_platform_can_be_made_by_name_without_being_contacted() {
    for platform in ["docker", "process", "memory"] {
        let provider = factory().create(platform, Value::Null).await.unwrap();
        assert_eq!(provider.info().platform, platform);
    }
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    for (platform, config, field) in [
        ("docker", json!({"limits": {"memory": "lots"}}), "limits.memory: "),
        ("docker", json!({"netwrok": "x"}), "netwrok: "),
        ("process", json!({"state_dir": 7}), "state_dir: "),
        ("memory", json!({"max_containers": -1}), "max_containers: "),
    ] {
        let error = factory().create(platform, config).await.unwrap_err();
        assert_eq!((error.kind(), error.platform()), (ErrorKind::Invalid, platform));
        assert!(error.message().starts_with(field), "{error}");
    }
}

/// A configuration of the gateway, whose comments have lines of their own.
fn wrangler(folder: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    serde_json::from_str(&lines.collect::<String>()).unwrap()
}

/// What a deployment names is in the gateway: an object of each class, under the name by which the gateway asks for it.
#[test]
fn the_gateways_configurations_are_of_the_gateway() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cloudflare/worker");
    let deployed = ["wrangler.jsonc", "wrangler.durable-object.jsonc"].map(|name| wrangler(&folder, name));
    for config in &deployed {
        let main = std::fs::read_to_string(folder.join(config["main"].as_str().unwrap())).unwrap();
        assert!(main.contains("export { AgentContainer, ContainerIndex };"));
        let bindings = json!([
            { "name": "AGENT", "class_name": "AgentContainer" },
            { "name": "INDEX", "class_name": "ContainerIndex" },
        ]);
        assert_eq!(config["durable_objects"]["bindings"], bindings);
        let classes = json!(["AgentContainer", "ContainerIndex"]);
        assert_eq!(config["migrations"], json!([{ "tag": "v1", "new_sqlite_classes": classes }]));
        assert_eq!(config["containers"][0]["class_name"], "AgentContainer");
    }
    let stubs = std::fs::read_to_string(folder.join("src/stubs.js")).unwrap();
    assert!(stubs.contains("env.AGENT.") && stubs.contains("env.INDEX."));
    let [usual, chosen] = deployed.map(|config| config["containers"][0].clone());
    assert_ne!(usual["instance_type"], "lite", "it is too small for an agent");
    assert!(usual["scheduling_policy"].is_null() && chosen["scheduling_policy"] == "durable_object");
    for file in [&usual["image"], &chosen["images"]["agent"]["dockerfile"]] {
        assert!(folder.join(file.as_str().unwrap()).is_file(), "{file}");
    }
}
