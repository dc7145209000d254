//! Cloudflare, as far as it can be had on this machine: the real gateway Worker in the real `workerd`, with Docker containers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use agcluster_core::conformance::{Context, run_all};
use agcluster_tests::platforms::cloudflare::CloudflarePlatform;

fn run_name(what: &str) -> String {
    format!("{what}-{:x}", jiff::Timestamp::now().as_nanosecond() & 0xfff_ffff)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_behaviour_suite_passes() {
    let platform = CloudflarePlatform::start().await.unwrap();
    let context = Context::new(platform.provider().unwrap(), run_name("cf"))
        .with_successor(platform.provider().unwrap());
    let report = run_all(&context).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}\n{}", platform.log());
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}
