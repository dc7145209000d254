//! The behaviour suite itself: it must find out whoever claims what is not so, or does not claim what is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::conformance::{Context, Outcome, Report, run_all};
use agcluster_core::provider::{
    Archive, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions,
    Endpoint, Exec, Fork, Lifetime, ListFilter, Logs, Pause, Probe, ProviderInfo, Result, SnapshotCapability,
    StopOptions,
};
use agcluster_providers::memory::MemoryProvider;
use async_trait::async_trait;

/// Changes what a provider says of itself.
type Claim = fn(&mut Capabilities);

/// A provider that works, and what it does wrong.
#[derive(Debug)]
struct Liar {
    honest: MemoryProvider,
    claims: Claim,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Says that it removed a container, and does not.
    DestroysNothing,
    /// Lists other clusters' containers too.
    ListsEverything,
    /// Forgets labels.
    LosesLabels,
    /// Refuses to stop what stands still.
    StopsOnce,
    /// Finds containers that are not there.
    FindsEverything,
    /// Panics in the middle.
    Panics,
}

#[async_trait]
impl ContainerProvider for Liar {
    fn info(&self) -> ProviderInfo {
        let mut info = self.honest.info();
        (self.claims)(&mut info.capabilities);
        info
    }

    async fn probe(&self) -> Result<Probe> {
        self.honest.probe().await
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        assert_ne!(self.fault, Fault::Panics, "a provider with a mistake");
        self.honest.create(spec).await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        match self.honest.inspect(id).await {
            Err(_) if self.fault == Fault::FindsEverything => {
                let any = self.honest.create(Session::spec("elsewhere")).await?;
                Ok(Container { id: id.clone(), ..any })
            }
            seen => seen,
        }
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let filter = if self.fault == Fault::ListsEverything { ListFilter::default() } else { filter };
        let mut found = self.honest.list(filter).await?;
        if self.fault == Fault::LosesLabels {
            found.iter_mut().for_each(|container| container.labels.agent.clear());
        }
        Ok(found)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        self.honest.endpoint(id).await
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        let before = self.honest.inspect(id).await?;
        if self.fault == Fault::StopsOnce && before.state != agcluster_core::provider::ContainerState::Running
        {
            return Err(self.unsupported("stop"));
        }
        self.honest.stop(id, options).await
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        if self.fault == Fault::DestroysNothing {
            return Ok(());
        }
        self.honest.destroy(id, options).await
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        self.honest.start(id).await
    }
}

struct Session;

impl Session {
    fn spec(cluster: &str) -> ContainerSpec {
        support::Session::new(cluster, cluster).spec
    }
}

/// With little patience, since what is not there is waited for.
async fn report(claims: Claim, fault: Fault) -> Report {
    report_within(Duration::from_secs(2), claims, fault).await
}

async fn report_within(patience: Duration, claims: Claim, fault: Fault) -> Report {
    let liar = Liar { honest: MemoryProvider::default(), claims, fault };
    let context = Context::new(Arc::new(liar), support::run_name("suite"));
    run_all(&context.with_patience(patience)).await
}

/// The cases that failed.
fn failed(report: &Report) -> Vec<&'static str> {
    report.rows.iter().filter(|row| row.verdict.is_err()).map(|row| row.case).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tells_the_truth_passes() {
    let report = report_within(Duration::from_secs(60), |_| {}, Fault::None).await;
    assert!(report.is_success(), "\n{report}");
    assert_eq!(report.row("pause_is_as_claimed").unwrap().verdict, Ok(Outcome::NotClaimed));
    assert_eq!(report.row("start_is_as_claimed").unwrap().verdict, Ok(Outcome::Passed));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_claimed_and_absent_fails() {
    let claims: [(Claim, &[&str]); 9] = [
        (|can| can.pause = Some(Pause { keeps_memory: true }), &["pause_is_as_claimed"]),
        (
            |can| can.snapshot = Some(SnapshotCapability { stops_source: false, keeps_memory: false }),
            &["snapshot_is_as_claimed"],
        ),
        (|can| can.fork = Some(Fork { stops_source: false }), &["fork_is_as_claimed"]),
        (|can| can.logs = Some(Logs { follow: true }), &["logs_are_as_claimed"]),
        (|can| can.stats = true, &["stats_are_as_claimed"]),
        (
            |can| can.exec = Some(Exec { max: None }),
            &["exec_is_as_claimed", "exec_is_bounded", "environment_reaches_the_container"],
        ),
        (
            |can| can.archive = Some(Archive { while_stopped: true }),
            &["archives_are_as_claimed", "two_containers_do_not_share"],
        ),
        (
            |can| {
                can.lifetime =
                    Lifetime { default: None, max: Some(Duration::from_secs(60)), extendable: true }
            },
            &["a_lifetime_is_told", "extend_is_as_claimed"],
        ),
        (|can| can.custom_image = true, &["an_image_is_used_or_refused"]),
    ];
    for (claim, cases) in claims {
        let report = report(claim, Fault::None).await;
        for case in cases {
            assert!(failed(&report).contains(case), "{case} did not fail\n{report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_and_present_fails() {
    let report = report_within(Duration::from_secs(60), |can| can.start = None, Fault::None).await;
    assert_eq!(failed(&report), ["start_is_as_claimed"], "\n{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_wrong_fails() {
    for (fault, case) in [
        (Fault::DestroysNothing, "destroy_leaves_nothing_and_is_idempotent"),
        (Fault::ListsEverything, "lists_are_filtered_by_cluster_and_session"),
        (Fault::LosesLabels, "labels_survive_the_platform"),
        (Fault::StopsOnce, "stop_keeps_the_container_and_is_idempotent"),
        (Fault::FindsEverything, "what_is_unknown_is_not_found"),
        (Fault::Panics, "create_makes_a_container_that_answers"),
    ] {
        let report = report(|_| {}, fault).await;
        assert!(failed(&report).contains(&case), "{case} did not fail with {fault:?}\n{report}");
    }
}
