//! The `vercel` provider on a fake of Vercel whose machines work.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;

use std::time::Duration;

use agcluster_core::agent::{AgentClient, TokenKey, wait_until_healthy};
use agcluster_core::conformance::{Context, Outcome, Report, run_all};
use agcluster_core::protocol::{Health, Secret, TOKEN_DIGEST_ENV};
use agcluster_core::provider::{
    ContainerId, ContainerProvider, ContainerSpec, ContainerState, DestroyOptions, ErrorKind, Labels,
};
use agcluster_tests::ground::needed;
use agcluster_tests::platforms::vercel::{Fault, Options, VercelPlatform, What};
use http::Method;
use serde_json::{Value, json};

/// Ends a platform on which nothing may be wrong and nothing left.
async fn end(platform: VercelPlatform) {
    assert_eq!(platform.violations(), Vec::<String>::new());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}

async fn conformance(fields: Value, run: &str) -> Report {
    let platform = VercelPlatform::start().await.unwrap();
    let make = || -> Arc<dyn ContainerProvider> { platform.provider_with(fields.clone()).unwrap() };
    let context = Context::new(make(), run).with_successor(make()).with_concurrency(3);
    let report = run_all(&context).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}\n{:#?}", platform.violations());
    end(platform).await;
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throw_away_containers_pass_the_suite() {
    let report = conformance(json!({}), "vercel-once").await;
    for (case, outcome) in [
        ("start_is_as_claimed", Outcome::NotClaimed),
        ("snapshot_is_as_claimed", Outcome::Passed),
        ("fork_is_as_claimed", Outcome::Passed),
        ("extend_is_as_claimed", Outcome::Passed),
        ("a_lifetime_is_told", Outcome::Passed),
        ("exec_is_as_claimed", Outcome::Passed),
        ("archives_are_as_claimed", Outcome::Passed),
        ("a_workspace_is_kept_for_the_next_generation", Outcome::Passed),
    ] {
        assert_eq!(report.row(case).unwrap().verdict, Ok(outcome), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persistent_containers_pass_the_suite_and_can_be_started_again() {
    let report = conformance(json!({"persistent": true}), "vercel-kept").await;
    for case in ["start_is_as_claimed", "create_starts_what_stands_still"] {
        assert_eq!(report.row(case).unwrap().verdict, Ok(Outcome::Passed), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_whose_answer_was_lost_is_repeated_and_leaves_a_source_that_was_started_again_alone() {
    let platform = VercelPlatform::start().await.unwrap();
    let provider = platform.provider_with(json!({"persistent": true})).unwrap();
    let source = provider.create(spec("source")).await.unwrap();
    // Nothing stands there yet that could be forked into: the answer lost is that of the second create.
    platform.inject(Fault::answer_lost(Method::POST, "v3/sandboxes"));
    let error = provider.fork(&source.id, spec("fork")).await.unwrap_err();
    assert!(error.is_retryable() && error.operation() == "fork", "{error}");
    provider.start(&source.id).await.unwrap();
    let running = health(&*provider, &source.id, "source").await;
    let forked = provider.fork(&source.id, spec("fork")).await.unwrap();
    health(&*provider, &forked.id, "fork").await;
    assert_eq!(health(&*provider, &source.id, "source").await.instance, running.instance);
    // The source's snapshot goes with it once nobody uses it.
    for container in [&forked, &source] {
        provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    }
    assert_eq!(platform.snapshots(), Vec::<String>::new());

    // What ended without being saved cannot be forked.
    let provider = platform.provider().unwrap();
    let source = provider.create(spec("once")).await.unwrap();
    platform.expire(&source.id.0).await.unwrap();
    let error = provider.fork(&source.id, spec("fork")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Gone, false));
    provider.destroy(&source.id, DestroyOptions::default()).await.unwrap();
    end(platform).await;
}

fn key() -> TokenKey {
    TokenKey::from_secret(&Secret::new("vercel"))
}

/// The first container of a session.
fn spec(session: &str) -> ContainerSpec {
    let mut spec = ContainerSpec::new(Labels {
        cluster: "vercel".to_owned(),
        session: session.to_owned(),
        agent: "agent-test".to_owned(),
        generation: 1,
        expires_at: None,
    });
    spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), key().token(session, 1).digest());
    spec
}

/// The answer of a container's agent server.
async fn health(provider: &dyn ContainerProvider, id: &ContainerId, session: &str) -> Health {
    let endpoint = provider.endpoint(id).await.unwrap();
    let client = AgentClient::new(&endpoint, &key().token(session, 1)).unwrap();
    wait_until_healthy(&client, Duration::from_secs(30)).await.unwrap()
}

async fn address(provider: &dyn ContainerProvider, id: &ContainerId) -> String {
    format!("{:?}", provider.endpoint(id).await.unwrap().address)
}

fn seconds_left(container: &agcluster_core::provider::Container) -> i64 {
    container.expires_at.unwrap().duration_since(jiff::Timestamp::now()).as_secs()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_was_lost_is_repeated_and_finds_it() {
    let platform = VercelPlatform::start().await.unwrap();
    let provider = platform.provider().unwrap();
    platform.inject(Fault::answer_lost(Method::POST, "v3/sandboxes"));
    let error = provider.create(spec("lost")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let container = provider.create(spec("lost")).await.unwrap();
    health(&*provider, &container.id, "lost").await;
    // The same with the answer to the start of the agent server: then nothing is left.
    platform.inject(Fault::answer_lost(Method::POST, "/cmd"));
    provider.create(spec("half")).await.unwrap_err();
    assert_eq!(platform.requests().iter().filter(|seen| seen.method == Method::DELETE).count(), 1);
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    end(platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_whose_time_is_over_is_gone_and_starts_again_elsewhere_if_it_persists() {
    let platform = VercelPlatform::start().await.unwrap();
    let provider = platform.provider_with(json!({"persistent": true})).unwrap();
    let container = provider.create(spec("over")).await.unwrap();
    let id = &container.id;
    let (before, first) = (health(&*provider, id, "over").await, address(&*provider, id).await);
    platform.expire(&id.0).await.unwrap();
    assert!(matches!(provider.inspect(id).await.unwrap().state, ContainerState::Stopped { .. }));
    assert_eq!(provider.endpoint(id).await.unwrap_err().kind(), ErrorKind::Gone);
    // Vercel may still be saving it.
    let mut saving = Fault::refused(Method::GET, "agc-over-g1", 422, "sandbox_snapshotting");
    saving.times = 1;
    platform.inject(saving);
    assert!(provider.start(id).await.unwrap_err().is_retryable());
    let started = provider.start(id).await.unwrap();
    assert_eq!(&started.id, id);
    let endpoint = provider.endpoint(id).await.unwrap();
    assert_eq!(endpoint.expires_at, started.expires_at);
    assert_ne!(format!("{:?}", endpoint.address), first, "a new session has new routes");
    assert_ne!(health(&*provider, id, "over").await.instance, before.instance);
    provider.destroy(id, DestroyOptions::default()).await.unwrap();
    assert_eq!(platform.snapshots(), Vec::<String>::new());

    let provider = platform.provider().unwrap();
    let container = provider.create(spec("once")).await.unwrap();
    platform.expire(&container.id.0).await.unwrap();
    assert_eq!(provider.start(&container.id).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let again = provider.create(spec("once")).await.unwrap();
    assert_eq!(again.state, ContainerState::Running);
    provider.destroy(&again.id, DestroyOptions::default()).await.unwrap();
    end(platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_the_plan_name_the_setting() {
    let hobby = Options { longest_ms: 45 * 60_000, concurrent: 1, ..Options::default() };
    let platform = VercelPlatform::start_with(hobby).await.unwrap();
    // Whoever says `pro` of a Hobby team is told.
    let wrong = platform.provider_with(json!({"timeout_seconds": 86_400})).unwrap();
    let error = wrong.create(spec("long")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Quota, false));
    assert!(error.message().contains("lower timeout_seconds, and set plan"), "{error}");
    assert!(error.request_id().is_some_and(|id| id.starts_with("iad1::")), "{error}");

    let provider = platform.provider_with(json!({"plan": "hobby", "timeout_seconds": 600})).unwrap();
    let container = provider.create(spec("one")).await.unwrap();
    assert!((500..=600).contains(&seconds_left(&container)), "{container:?}");
    let extended = provider.extend(&container.id, Duration::from_secs(1800)).await.unwrap();
    assert!((1790..=1800).contains(&seconds_left(&extended)), "{extended:?}");
    // What lives long enough is left as it is.
    let same = provider.extend(&container.id, Duration::from_secs(60)).await.unwrap();
    assert_eq!(same.expires_at, extended.expires_at);
    let error = provider.extend(&container.id, Duration::from_secs(3600)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Quota, "extend"));

    let error = provider.create(spec("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(1)) });
    assert!(error.message().contains("end some, or take a larger plan"), "{error}");
    let what = What::Refused { status: 402, code: "payment_required", message: "m", retry_after: None };
    platform.inject(Fault { what, ..Fault::answer_lost(Method::POST, "v3/sandboxes") });
    let error = provider.create(spec("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    end(platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_name_the_setting() {
    let platform = VercelPlatform::start().await.unwrap();
    for (field, kind, sentence) in [
        ("token", ErrorKind::Auth, "set token (VERCEL_TOKEN)"),
        ("team_id", ErrorKind::Auth, "set team_id (VERCEL_TEAM_ID)"),
        ("project_id", ErrorKind::Precondition, "set project_id (VERCEL_PROJECT_ID)"),
    ] {
        let provider = platform.provider_with(json!({ field: "wrong" })).unwrap();
        for error in [provider.probe().await.unwrap_err(), provider.create(spec("s")).await.unwrap_err()] {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.message().contains(sentence), "{error}");
        }
    }
    end(platform).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_server_is_uploaded_into_images_that_have_none_or_is_in_a_snapshot() {
    let platform = VercelPlatform::start().await.unwrap();
    let upload = json!({"image": null, "agent_binary": needed("AGCLUSTER_AGENT_BINARY").unwrap()});
    let provider = platform.provider_with(upload).unwrap();
    let container = provider.create(spec("upload")).await.unwrap();
    health(&*provider, &container.id, "upload").await;
    let adopted = provider.create(spec("upload")).await.unwrap();
    assert_eq!(adopted.id, container.id);
    let uploads = platform.requests().iter().filter(|seen| seen.path.ends_with("fs/write")).count();
    assert_eq!(uploads, 1, "an agent server that runs was uploaded again");
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();

    let provider = platform.provider().unwrap();
    let container = provider.create(spec("source")).await.unwrap();
    let snapshot = provider.snapshot(&container.id).await.unwrap();
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    // What was asked for survives its source.
    assert_eq!(platform.snapshots(), std::slice::from_ref(&snapshot));
    let from = platform.provider_with(json!({"image": null, "snapshot": snapshot})).unwrap();
    let container = from.create(spec("copy")).await.unwrap();
    health(&*from, &container.id, "copy").await;
    from.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    end(platform).await;
}
