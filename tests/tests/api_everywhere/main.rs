//! The whole API on one provider after the other: one list of cases, each run on each, and one table of what came of them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and the table is shown"
)]

mod agent_server;
mod configs;
mod container;
mod files;
mod git;
mod models;
mod place;
mod run;
mod sessions;
mod terminal;
mod turns;

use agcluster_core::conformance::{Outcome, Report, Table};
use agcluster_tests::ground::Provider;

use run::{case_names, on};

/// What a provider need not have: the output of its containers.
const MAY_BE_ABSENT: &[&str] = &["what_a_container_wrote_is_streamed"];

fn absent(report: &Report) -> Vec<&str> {
    let rows = report.rows.iter().filter(|row| row.verdict == Ok(Outcome::NotClaimed));
    rows.map(|row| row.case).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_api_works_wherever_containers_are() {
    let mut reports = Vec::new();
    let mut broken = Vec::new();
    for provider in Provider::ALL {
        match Box::pin(on(provider)).await {
            Ok(report) => reports.push(report),
            Err(error) => broken.push(format!("{}: {error:#}", provider.name())),
        }
    }
    println!("{}", Table(&reports));
    assert_eq!(broken, Vec::<String>::new());
    assert!(reports.iter().all(Report::is_success), "\n{}", Table(&reports));
    for report in &reports {
        let ran: Vec<_> = report.rows.iter().map(|row| row.case).collect();
        assert_eq!(ran, case_names().collect::<Vec<_>>(), "{} left cases out", report.platform);
        assert!(absent(report).iter().all(|case| MAY_BE_ABSENT.contains(case)), "\n{report}");
    }
}
