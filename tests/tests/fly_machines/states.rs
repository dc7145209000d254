//! States that take their time, and machines that others change.

use std::time::Duration;

use agcluster_core::provider::{ContainerState, DestroyOptions, ErrorKind, ExecOptions, Resources};
use agcluster_tests::platforms::fly_machines::{Fault, FlyMachinesPlatform};
use reqwest::Method;
use serde_json::json;

use super::{actions, empty, healthy, session, spec};

const NOT_YET: &str = "deadline_exceeded: machine failed to reach desired state, started, currently created";

#[tokio::test(start_paused = true)]
async fn waiting_goes_on_in_slices() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    for _ in 0..3 {
        platform.order("wait", Fault::Answer(408, json!({"error": NOT_YET})));
    }
    let id = provider.create(spec("s")).await.unwrap().id;
    assert_eq!(actions(&platform), ["create_machine", "wait", "wait", "wait", "wait"]);
    for request in platform.requests().iter().filter(|request| request.action == "wait") {
        assert!(
            request.query.contains("timeout=60") || request.query.contains("timeout=5"),
            "{}",
            request.query
        );
    }
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_machine_that_does_not_start_in_time_is_removed() {
    let platform = empty().await;
    let provider = platform.provider_with(&json!({"timeouts": {"change_seconds": 1}})).unwrap();
    for _ in 0..60 {
        platform.order("wait", Fault::Answer(408, json!({"error": NOT_YET})));
    }
    let error = provider.create(spec("s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains("timeouts.change_seconds"), "{error}");
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    assert!(actions(&platform).contains(&"delete_machine"));
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_machine_that_vanishes_while_it_launches_is_worth_another_try() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    platform.order("wait", Fault::Answer(404, json!({"error": "machine not found"})));
    let error = provider.create(spec("s")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    let id = provider.create(spec("s")).await.unwrap().id;
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn an_image_whose_program_ends_at_once_is_said_to_and_leaves_nothing() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    platform.order("wait", Fault::Answer(200, json!({"ok": true, "state": "stopped"})));
    let ended = json!({
        "id": "1", "name": "agc-s-g1", "state": "stopped", "region": "iad", "instance_id": "1",
        "events": [{"type": "exit", "request": {"exit_event": {"exit_code": 2, "oom_killed": false}}}],
    });
    platform.order("get_machine", Fault::Answer(200, ended));
    let error = provider.create(spec("s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert!(error.message().contains("ended with exit code 2 at once"), "{error}");
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}

/// What ends a moment later is seen by whoever looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_ended_by_itself_says_how() {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let provider = platform.provider().unwrap();
    let (spec, token) = session("s");
    let id = provider.create(spec).await.unwrap().id;
    healthy(&*provider, &id, &token).await;
    // The first process, to which only what it waits for gets through. It may end before this can be answered.
    let _ = provider.exec(&id, ExecOptions::new(["kill", "-TERM", "1"])).await;
    let machine = platform.machines()[0].clone();
    let (machine, version) = (machine["id"].as_str().unwrap(), machine["instance_id"].as_str().unwrap());
    let path = format!("/apps/agents/machines/{machine}/wait?state=stopped&version={version}&timeout=60");
    let ended = async { while platform.request(Method::GET, &path).send().await.unwrap().status() != 200 {} };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    let state = provider.inspect(&id).await.unwrap().state;
    assert!(matches!(state, ContainerState::Stopped { exit_code: Some(_), .. }), "{state:?}");
    let error = provider.endpoint(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

fn machine_id(platform: &FlyMachinesPlatform) -> Option<String> {
    platform.machines().first().map(|machine| machine["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_lease_of_somebody_else_is_waited_for_by_trying_again() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    let path = format!("/apps/agents/machines/{}/lease", machine_id(&platform).unwrap());
    let lease = platform.request(Method::POST, &path).json(&json!({"ttl": 3600})).send().await.unwrap();
    let lease: serde_json::Value = lease.json().await.unwrap();
    let error = provider.destroy(&id, DestroyOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    assert!(error.message().contains("lease"), "{error}");
    let nonce = lease["data"]["nonce"].as_str().unwrap();
    let release = platform.request(Method::DELETE, &path).header("fly-machine-lease-nonce", nonce);
    release.send().await.unwrap().error_for_status().unwrap();
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_large_machine_cannot_be_suspended_and_says_so() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let mut spec = spec("s");
    spec.resources = Resources { memory_bytes: Some(4 << 30), ..Resources::default() };
    let container = provider.create(spec).await.unwrap();
    assert_eq!(container.warnings.len(), 1, "two processors, for the memory: {:?}", container.warnings);
    let error = provider.pause(&container.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert!(error.message().contains("2g"), "{error}");
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_suspended_machine_cannot_do_is_a_precondition() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    provider.pause(&id).await.unwrap();
    let error = provider.exec(&id, ExecOptions::new(["true"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert_eq!(provider.start(&id).await.unwrap().state, ContainerState::Running);
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_while_the_machine_is_replaced_waits_for_it() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    let refusal =
        json!({"error": "failed_precondition: unable to start machine from current state: 'replacing'"});
    platform.order("start", Fault::Answer(412, refusal));
    assert_eq!(provider.start(&id).await.unwrap().state, ContainerState::Running);
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

/// The platform keeps what a machine is made with, and shows it to whoever may look.
#[tokio::test]
async fn a_machine_is_made_as_it_should_be() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let (mut spec, token) = session("s");
    spec.labels.expires_at = jiff::Timestamp::from_second(4_000_000_000).ok();
    let id = provider.create(spec.clone()).await.unwrap().id;
    let body = platform.requests()[0].body.clone().unwrap();
    assert_eq!(body["name"], spec.labels.container_name());
    assert_eq!(body["skip_secrets"], true);
    let config = &body["config"];
    assert_eq!(config["auto_destroy"], false);
    assert_eq!(config["restart"]["policy"], "no");
    assert_eq!(config["guest"], json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 2048}));
    assert_eq!(config["metadata"]["agcluster_session"], "s");
    assert_eq!(config["metadata"].as_object().unwrap().len(), 5);
    let service = &config["services"][0];
    assert_eq!((&service["autostart"], &service["autostop"]), (&json!(false), &json!("off")));
    assert_eq!(service["ports"][0]["http_options"]["idle_timeout"], 3600);
    let record = platform.machines()[0].to_string();
    assert!(record.contains(&token.digest()) && !record.contains(token.secret().expose()));
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();

    // Inside the private network nothing is published.
    let private = platform.provider_with(&json!({"reach": "private"})).unwrap();
    platform.forget_requests();
    let id = private.create(spec).await.unwrap().id;
    assert_eq!(platform.requests()[0].body.as_ref().unwrap()["config"].get("services"), None);
    let endpoint = format!("{:?}", private.endpoint(&id).await.unwrap().address);
    assert!(endpoint.starts_with("http://[fdaa:") && endpoint.ends_with("]:3000/"), "{endpoint}");
    private.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn the_probe_says_what_is_wrong_with_the_settings() {
    let platform = empty().await;
    let probe = async |changes| platform.provider_with(&changes).unwrap().probe().await;
    assert_eq!(probe(json!({})).await.unwrap().warnings, Vec::<String>::new());
    for (changes, kind, says) in [
        (json!({"token": "fm2_wrong"}), ErrorKind::Auth, "token (FLY_API_TOKEN)"),
        (json!({"app": "missing"}), ErrorKind::Precondition, "app (FLY_APP_NAME)"),
        (json!({"app": "somebody-elses"}), ErrorKind::Auth, "app (FLY_APP_NAME)"),
        (json!({"mode": "per_session", "organization": "others"}), ErrorKind::Auth, "organization (FLY_ORG)"),
    ] {
        let error = probe(changes).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
        assert_eq!((error.platform(), error.operation()), ("fly_machines", "probe"));
    }
    platform.release_addresses("agents");
    let warnings = probe(json!({})).await.unwrap().warnings;
    assert!(warnings[0].contains("fly ips allocate-v4 --shared -a agents"), "{warnings:?}");
    // A wait that is bounded by the client too.
    let closed = probe(json!({"base_url": "http://127.0.0.1:1"})).await.unwrap_err();
    assert_eq!((closed.kind(), closed.is_retryable()), (ErrorKind::Unavailable, true), "{closed}");
    assert!(tokio::time::timeout(Duration::from_secs(5), platform.stop()).await.unwrap().is_ok());
}
