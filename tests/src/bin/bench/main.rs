//! The benchmark: every figure beside its floor from the same run. `cargo xtask bench` prepares what it needs and runs it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

mod append;
mod bare;
mod bare_agents;
mod by_hand;
mod completions;
mod direct;
mod figure;
mod files;
mod health;
mod idle;
mod inside;
mod launch;
mod limits;
mod machine;
mod memory;
mod options;
mod platforms;
mod program;
mod relay;
mod report;
mod restart;
mod samples;
mod server;
mod stage;
mod streams;
mod terminal;

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use bollard::Docker;
use clap::Parser;
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use figure::Figure;
use options::{Options, Part, Platform};
use stage::Stage;

/// The server's own: some parts have one inside.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    // Also for the provider that this program uses itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Box::pin(run(&options)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    if let Some(state) = options.look_at {
        println!("{}", serde_json::to_string(&idle::look_at(options, state).await?)?);
        return Ok(());
    }
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stopped.cancel();
    });
    let machine = machine::describe(&Docker::connect_with_defaults()?.negotiate_version().await?).await?;
    let mut figures = Vec::new();
    for part in options.parts() {
        figures.extend(match part {
            Part::Launch => Stage::with(options, Platform::Docker, &stop, launch::measure).await?,
            Part::Relay => Stage::with(options, options.scripted_on, &stop, relay::measure).await?,
            Part::Completions => {
                Stage::with(options, options.scripted_on, &stop, completions::measure).await?
            }
            Part::Memory => Stage::with(options, options.scripted_on, &stop, memory::measure).await?,
            Part::Terminal => Stage::with(options, Platform::Docker, &stop, terminal::measure).await?,
            Part::Files => Stage::with(options, Platform::Docker, &stop, files::measure).await?,
            Part::Platforms => platforms::measure(options, &stop).await?,
            Part::Health => Stage::with(options, Platform::Docker, &stop, health::measure).await?,
            Part::Restart => unless(&stop, restart::measure(options)).await?,
            Part::Streams => unless(&stop, streams::measure(options)).await?,
            Part::Idle => unless(&stop, idle::measure(options)).await?,
            Part::Append => append::measure(options, &stop).await?,
        });
    }
    report::check(&figures)?;
    if let Some(path) = &options.json {
        report::write(path, &machine, &figures)?;
    }
    println!("{}\n\n{}\n{}", machine::sentence(&machine), report::table(&figures), report::verdict(&figures));
    Ok(())
}

/// Measures, until it is interrupted. What was made goes with it.
async fn unless(
    stop: &CancellationToken,
    measure: impl Future<Output = Result<Vec<Figure>>>,
) -> Result<Vec<Figure>> {
    stop.run_until_cancelled(Box::pin(measure)).await.unwrap_or_else(|| Err(anyhow!("interrupted")))
}

/// Says how far it is.
fn progress(what: &str) {
    eprintln!("==> {what}");
}
