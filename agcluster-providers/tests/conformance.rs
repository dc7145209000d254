//! Every provider of this crate against the behaviour suite.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use agcluster_core::conformance::{Context, run_all};
use agcluster_core::provider::ContainerProvider;
use agcluster_providers::docker::{DockerConfig, DockerProvider};
use agcluster_providers::memory::MemoryProvider;
use agcluster_providers::process::{ProcessConfig, ProcessProvider};

async fn conforms(context: Context) {
    let report = run_all(&context).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let provider = MemoryProvider::default();
    let successor: Arc<dyn ContainerProvider> = Arc::new(provider.clone());
    conforms(Context::new(Arc::new(provider), support::run_name("memory")).with_successor(successor)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process() {
    let state = support::state_dir();
    let config = ProcessConfig {
        agent_binary: Some(support::agent_binary()),
        state_dir: Some(state.path().to_owned()),
        ..ProcessConfig::default()
    };
    let make = || -> Arc<dyn ContainerProvider> { Arc::new(ProcessProvider::new(config.clone()).unwrap()) };
    conforms(Context::new(make(), support::run_name("process")).with_successor(make())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn docker() {
    let config = DockerConfig { image: support::image(), ..DockerConfig::default() };
    let make = || -> Arc<dyn ContainerProvider> { Arc::new(DockerProvider::new(config.clone()).unwrap()) };
    conforms(Context::new(make(), support::run_name("docker")).with_successor(make())).await;
}
