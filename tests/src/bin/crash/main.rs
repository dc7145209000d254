//! Kills the server again and again while it works, and sees that nothing is lost, doubled or left behind. `cargo xtask
//! crash` prepares what it needs and runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

mod acts;
mod asked;
mod findings;
mod journal;
mod leftovers;
mod line;
mod options;
mod reconnect;
mod round;

use std::process::ExitCode;

use agcluster_tests::seeded::Seeded;
use agcluster_tests::system::{Installation, Plan};
use anyhow::Result;
use clap::Parser;

use findings::Findings;
use options::Options;
use round::World;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = options.seed();
    eprintln!("==> seed {seed}");
    let plan = Plan {
        program: options.server.clone(),
        // What nobody owns is removed at once, and looked for all the time.
        ..Plan::on(options.provider()).with(&["--orphan-grace=0", "--session-cleanup-interval=1"])
    };
    let mut findings = Findings::default();
    let played = Installation::with(plan, async |installation| {
        play(&options, Seeded::new(seed), installation, &mut findings).await
    });
    let played = Box::pin(played).await;
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

async fn play(
    options: &Options,
    mut seeded: Seeded,
    installation: &mut Installation,
    findings: &mut Findings,
) -> Result<()> {
    let mut world = World::new(options, seeded.fork(), installation);
    let mut played = Ok(());
    for nth in 1..=options.rounds {
        eprintln!("==> round {nth} of {}", options.rounds);
        let before = world.findings.faults().count();
        played = Box::pin(world.round(installation)).await;
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
