//! One suite, every provider, one table.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use agcluster_core::conformance::{Context, Outcome, Table, run_all};
use agcluster_core::layers::Failover;
use agcluster_core::provider::ContainerProvider;
use agcluster_providers::memory::MemoryProvider;
use agcluster_server::{LayerSettings, around};
use agcluster_tests::aloud::say;
use agcluster_tests::conformance::on_ground;
use agcluster_tests::ground::Provider;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_provider_passes_what_it_claims() {
    let mut reports = Vec::new();
    let mut broken = Vec::new();
    for provider in Provider::ALL {
        match on_ground(provider).await {
            Ok(report) => reports.push(report),
            Err(error) => broken.push(format!("{}: {error:#}", provider.name())),
        }
    }
    say(Table(&reports));
    assert_eq!(broken, Vec::<String>::new());
    assert!(reports.iter().all(|report| report.is_success()), "\n{}", Table(&reports));
    for report in &reports {
        let passed = report.rows.iter().filter(|row| row.verdict == Ok(Outcome::Passed)).count();
        assert!(passed > report.rows.len() / 2, "{} claims next to nothing", report.platform);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_and_failover_change_nothing_of_it() {
    let memory = || -> (MemoryProvider, Arc<dyn ContainerProvider>) {
        let platform = MemoryProvider::default();
        let layered = around(Arc::new(platform.clone()), &LayerSettings::default());
        (platform, layered)
    };
    let (platform, layered) = memory();
    let under_layers = Context::new(layered, "layers").with_successor(Arc::new(platform));
    let both = Failover::new([("near", memory().1), ("far", memory().1)]).unwrap();
    let both: Arc<dyn ContainerProvider> = Arc::new(both);
    let under_failover = Context::new(Arc::clone(&both), "failover").with_successor(both);
    let reports = [run_all(&under_layers).await, run_all(&under_failover).await];
    say(Table(&reports));
    assert!(reports.iter().all(|report| report.is_success()), "\n{}", Table(&reports));
}
