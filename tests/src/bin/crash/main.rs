//! Kills the server again and again while it works, and sees that nothing is lost, doubled or left behind. `cargo xtask
//! crash` prepares what it needs and runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

mod acts;
mod asked;
mod findings;
mod journal;
mod leftovers;
mod line;
mod look;
mod options;
mod reconnect;
mod round;
mod trouble;

use std::process::ExitCode;

use agcluster_tests::postgres::Postgres;
use agcluster_tests::seeded::Seeded;
use agcluster_tests::system::{Installation, Plan};
use agcluster_tests::trouble::small_disk;
use anyhow::Result;
use clap::Parser;

use findings::Findings;
use options::Options;
use round::World;
use trouble::Trouble;

/// A disk that holds what some hundred rounds write, in megabytes.
const DISK: u32 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = options.seed();
    eprintln!("==> seed {seed}");
    let mut findings = Findings::default();
    let played = Box::pin(run(&options, seed, &mut findings)).await;
    for fault in findings.faults() {
        println!("{fault}");
    }
    println!("seed {seed}\n{findings}");
    match played {
        Ok(()) if findings.is_clean() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, seed: u64, findings: &mut Findings) -> Result<()> {
    options.check()?;
    let mut postgres = if options.has(Trouble::Postgres) { Some(Postgres::start().await?) } else { None };
    let mut plan = Plan {
        program: options.server.clone(),
        // What nobody owns is removed at once, and looked for all the time.
        ..Plan::on(options.provider()).with(&["--orphan-grace=0", "--session-cleanup-interval=1"])
    };
    if options.has(Trouble::Disk) {
        plan.wrapper = small_disk(DISK);
    }
    if let Some(postgres) = &postgres {
        plan = plan.with(&["--database-url", &postgres.url()]);
    }
    let played = Installation::with(plan, async |installation| {
        play(options, Seeded::new(seed), installation, postgres.as_mut(), findings).await
    });
    Box::pin(played).await
}

async fn play(
    options: &Options,
    mut seeded: Seeded,
    installation: &mut Installation,
    mut postgres: Option<&mut Postgres>,
    findings: &mut Findings,
) -> Result<()> {
    let mut world = World::new(options, seeded.fork(), installation);
    let mut played = Ok(());
    for nth in 1..=options.rounds {
        eprintln!("==> round {nth} of {}", options.rounds);
        let before = world.findings.faults().count();
        played = Box::pin(world.round(installation, postgres.as_deref_mut())).await;
        world.findings.faults().skip(before).for_each(|fault| eprintln!("    {fault}"));
        if played.is_err() {
            break;
        }
    }
    *findings = world.findings;
    played?;
    if options.disconnects > 0 {
        Box::pin(reconnect::fuzz(options, seeded.fork(), installation, findings)).await?;
    }
    Ok(())
}
