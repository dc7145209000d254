//! The AgCluster server.

use std::process::ExitCode;

use agcluster_server::{Environment, Server, Settings, Traces, init_logging};
use clap::Parser;
use tikv_jemallocator::Jemalloc;
use tokio::signal::unix::{SignalKind, signal};

/// Under many streams the time goes into small allocations.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Before anything may make a TLS connection; there is no other provider in this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        return failed(&format!("the file .env cannot be read: {error}"));
    }
    let settings = Settings { environment: Environment::of_process(), ..Settings::parse() };
    let traces = match settings.otlp_endpoint.as_deref().map(Traces::to).transpose() {
        Ok(traces) => traces,
        Err(error) => return failed(&error),
    };
    if let Err(error) = init_logging(&settings.log_level, settings.log_json, traces.as_ref()) {
        return failed(&error);
    }
    let ended = run(settings);
    if let Some(Err(error)) = traces.map(Traces::flush) {
        tracing::warn!("{error}");
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

#[tokio::main]
async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::bind(settings).await?;
    server
        .run(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await?;
    Ok(())
}

#[allow(
    clippy::print_stderr,
    reason = "the one sentence why the program ends belongs on the terminal, logged or not"
)]
fn failed(why: &str) -> ExitCode {
    eprintln!("agcluster-server: {why}");
    ExitCode::FAILURE
}
