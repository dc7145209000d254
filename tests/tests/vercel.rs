//! The `vercel` provider on a fake of Vercel whose machines work.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;

use agcluster_core::conformance::{Context, Outcome, Report, run_all};
use agcluster_core::provider::ContainerProvider;
use agcluster_tests::platforms::vercel::VercelPlatform;
use serde_json::{Value, json};

/// Ends a platform on which nothing may be wrong and nothing left.
async fn end(platform: VercelPlatform) {
    assert_eq!(platform.violations(), Vec::<String>::new());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    for unchecked in platform.unchecked() {
        println!("not checked here: {unchecked}");
    }
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
