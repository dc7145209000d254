//! The configuration files that are shipped, and what is refused in others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

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
