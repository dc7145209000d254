use agcluster_core::provider::ErrorKind;
use serde_json::{Value, json};

use super::*;

fn complete() -> Value {
    json!({ "gateway_url": "https://gateway.example.workers.dev", "gateway_token": "0123456789abcdef" })
}

fn with(change: Value) -> Value {
    let mut config = complete();
    let fields = change.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(fields);
    config
}

fn read(config: Value) -> Result<CloudflareConfig> {
    let config = agcluster_core::provider::read_config::<CloudflareConfig>(PLATFORM, config)?;
    config.validate().map(|()| config)
}

fn refused(config: Value) -> String {
    let error = read(config).unwrap_err();
    assert_eq!((error.kind(), error.platform()), (ErrorKind::Invalid, PLATFORM));
    error.message().to_owned()
}

#[test]
fn url_and_token_are_enough() {
    let credentials = read(complete()).unwrap().credentials().unwrap();
    assert_eq!(credentials.url.as_str(), "https://gateway.example.workers.dev/");
    assert!(credentials.access.is_none());
}

#[test]
fn what_is_missing_is_named_with_its_variable() {
    for (config, field) in [
        (Value::Null, "gateway_url"),
        (json!({ "gateway_url": " " }), "gateway_url"),
        (json!({ "gateway_url": "https://a.b" }), "gateway_token"),
        (json!({ "gateway_url": "https://a.b", "gateway_token": "" }), "gateway_token"),
    ] {
        let message = refused(config);
        let (variable, _) = ENV.iter().find(|(_, of)| *of == field).unwrap();
        assert!(message.starts_with(&format!("{field}: ")) && message.contains(variable), "{message}");
    }
}

#[test]
fn what_cannot_work_is_refused_by_field() {
    for (config, field) in [
        (with(json!({ "gateway_url": "http://gateway.example.com" })), "gateway_url: use https"),
        (with(json!({ "gateway_url": "ftp://gateway.example.com" })), "gateway_url: "),
        (with(json!({ "gateway_url": "https://a:b@example.com" })), "gateway_url: "),
        (with(json!({ "gateway_url": "https://example.com?x" })), "gateway_url: "),
        (with(json!({ "gateway_url": "gateway" })), "gateway_url: "),
        (with(json!({ "gateway_token": "short" })), "gateway_token: at least 16"),
        (with(json!({ "gateway_token": "0123456789 abcdef" })), "gateway_token: at least 16"),
        (with(json!({ "access": { "client_id": "x.access" } })), "access: "),
        (with(json!({ "access": { "client_secret": "x" } })), "access: "),
        (with(json!({ "access": { "secret": "x" } })), "access.secret: unknown field"),
        (with(json!({ "image": "" })), "image: "),
        (with(json!({ "instance": "two words" })), "instance: "),
        (with(json!({ "lifetime_seconds": 1 })), "lifetime_seconds: "),
        (with(json!({ "lifetime_seconds": 3_000_000 })), "lifetime_seconds: "),
        (with(json!({ "max_lifetime_seconds": 90_000_000 })), "max_lifetime_seconds: "),
        (with(json!({ "inactivity_seconds": 1 })), "inactivity_seconds: "),
        (with(json!({ "ready_seconds": 0 })), "ready_seconds: "),
        (with(json!({ "timeouts": { "call_seconds": 0 } })), "timeouts.call_seconds: "),
        (with(json!({ "getaway_url": "x" })), "getaway_url: unknown field"),
    ] {
        let message = refused(config);
        assert!(message.starts_with(field), "{message} should begin with {field}");
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for url in ["http://127.0.0.1:8787", "http://localhost:8787/", "http://[::1]:8787"] {
        assert!(read(with(json!({ "gateway_url": url }))).is_ok(), "{url}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let access = json!({ "client_id": "id.access", "client_secret": "hidden-access" });
    let config = read(with(json!({ "gateway_token": "hidden-token-of-it", "access": access }))).unwrap();
    let printed = format!("{config:?} {:?}", config.credentials().unwrap());
    assert!(!printed.contains("hidden"), "{printed}");
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/providers/cloudflare.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let filled = text
        .replace("${CLOUDFLARE_GATEWAY_URL}", "https://a.b")
        .replace("${CLOUDFLARE_GATEWAY_TOKEN}", "0123456789abcdef");
    let config = read(serde_saphyr::from_str(&filled).unwrap()).unwrap();
    let expected = CloudflareConfig {
        gateway_url: Some("https://a.b".to_owned()),
        gateway_token: Some(Secret::new("0123456789abcdef")),
        ..CloudflareConfig::default()
    };
    assert_eq!(config, expected);
    for (variable, _) in ENV {
        assert!(text.contains(&format!("${{{variable}}}")), "{variable} is not in the file");
    }
}
