//! What is refused, and how.

use agcluster_core::provider::ErrorKind;
use serde_json::{Value, json};

use super::*;

fn read(changes: Value) -> Result<FlyMachinesConfig> {
    let mut config = json!({"token": "fm2_secret", "app": "agents"});
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    let config: FlyMachinesConfig = agcluster_core::provider::read_config(PLATFORM, config)?;
    config.validate().map(|()| config)
}

#[test]
fn a_token_and_an_app_are_enough() {
    assert_eq!(read(json!({})).unwrap().api_url(), "https://api.machines.dev");
}

#[test]
fn the_token_is_not_printed() {
    assert!(!format!("{:?}", read(json!({})).unwrap()).contains("fm2_secret"));
}

#[test]
fn what_is_missing_is_named_with_its_variable() {
    for (changes, field, variable) in [
        (json!({"token": null}), "token: ", "FLY_API_TOKEN"),
        (json!({"token": ""}), "token: ", "FLY_API_TOKEN"),
        (json!({"app": null}), "app: ", "FLY_APP_NAME"),
        (json!({"mode": "per_session"}), "organization: ", "FLY_ORG"),
    ] {
        let error = read(changes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().starts_with(field) && error.message().contains(variable), "{error}");
        assert!(ENV.iter().any(|(name, of)| *name == variable && field.starts_with(of)));
    }
}

#[test]
fn what_cannot_work_is_refused_by_field() {
    for (changes, field) in [
        (json!({"app": "My App"}), "app: "),
        (json!({"regions": ["Frankfurt"]}), "regions: "),
        (json!({"base_url": "api.machines.dev"}), "base_url: "),
        (json!({"public_url": "https://agents.fly.dev"}), "public_url: "),
        (json!({"rate": {"burst": 0}}), "rate.burst: "),
        (json!({"guest": {"cpu_kind": "fast"}}), "guest.cpu_kind: "),
        (json!({"guest": {"memory": "1t"}}), "guest: "),
        (json!({"mode": "per_session", "organization": "o", "reach": "private"}), "reach: "),
        (json!({"mode": "per_session", "organization": "o", "app_prefix": "A"}), "app_prefix: "),
        (json!({"tokn": "x"}), "tokn: "),
    ] {
        let error = read(changes).unwrap_err();
        assert!(error.message().starts_with(field), "{error}");
    }
}

#[test]
fn a_base_url_may_have_what_clients_append() {
    for url in ["http://_api.internal:4280", "http://_api.internal:4280/", "http://_api.internal:4280/v1"] {
        assert_eq!(read(json!({"base_url": url})).unwrap().api_url(), "http://_api.internal:4280");
    }
}

/// What a file that ships says beside what must be given is what holds without it.
#[test]
fn the_shipped_file_is_the_defaults() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers/fly_machines.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replace("${FLY_API_TOKEN}", "fm2_secret").replace("${FLY_APP_NAME:-}", "agents");
    let shipped: FlyMachinesConfig = serde_saphyr::from_str(&text.replace("${FLY_REGION:-}", "''")).unwrap();
    let expected = FlyMachinesConfig {
        token: Some(Secret::new("fm2_secret")),
        app: Some("agents".to_owned()),
        ..FlyMachinesConfig::default()
    };
    assert_eq!(shipped, expected);
}
