//! The behaviour suite on chosen providers, as a table. `cargo xtask conformance` prepares what it needs and runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

use std::process::ExitCode;

use agcluster_core::conformance::Table;
use agcluster_tests::conformance::{LIVE, live, on_ground};
use agcluster_tests::ground::Provider;
use anyhow::{Context, bail, ensure};

#[tokio::main]
async fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match Box::pin(run(&names)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed.
async fn run(names: &[String]) -> anyhow::Result<bool> {
    let known = Provider::ALL.map(Provider::name).join(", ");
    let mut chosen = Vec::new();
    for name in names {
        let found = Provider::ALL.into_iter().find(|provider| provider.name() == name);
        chosen.push(found.with_context(|| format!("there is no provider {name:?}; available: {known}"))?);
    }
    let on_platform = std::env::var(LIVE).ok().filter(|name| !name.is_empty());
    if let Some(name) = &on_platform {
        // Said twice, so that nobody pays for what was set for another command.
        ensure!(
            names == [name.clone()],
            "{LIVE} is {name}: name {name} and nothing else on the command line"
        );
    } else if chosen.is_empty() {
        chosen.extend(Provider::ALL);
    }
    let mut reports = Vec::new();
    for provider in chosen {
        eprintln!("==> {}", provider.name());
        let report = if on_platform.is_some() { live(provider).await } else { on_ground(provider).await };
        reports.push(report?);
    }
    if reports.is_empty() {
        bail!("nothing ran: name one of {known}");
    }
    println!("{}", Table(&reports));
    Ok(reports.iter().all(|report| report.is_success()))
}
