//! Serving until told to end.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use agcluster_agent::{AgentServer, ServerConfig};
use axum::serve::ListenerExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::cli::Cli;
use crate::listen::{self, Listener};

/// The longest that open connections are waited for once everything else has ended.
const DRAIN: Duration = Duration::from_secs(2);

pub(crate) async fn serve(cli: &Cli, config: ServerConfig) -> Result<(), Failure> {
    // Signals are heard from here on, so that none that comes during the start is lost.
    let watch =
        |kind| signal(kind).map_err(|error| Failure::system(format!("signals cannot be heard: {error}")));
    let (mut terminate, mut interrupt) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
    let server = AgentServer::new(config);
    let listeners = listen::open(&cli.listen).await?;
    if let Some(path) = &cli.port_file {
        write_port(path, &listeners)?;
    }
    let drain = CancellationToken::new();
    let mut serving = JoinSet::new();
    for listener in listeners {
        let (router, drain) = (server.router(), drain.clone());
        serving.spawn(async move {
            match listener {
                Listener::Tcp(listener) => {
                    // Events are small and must not wait for company.
                    let listener = listener.tap_io(|stream| {
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%error, "TCP_NODELAY cannot be set");
                        }
                    });
                    axum::serve(listener, router).with_graceful_shutdown(drain.cancelled_owned()).await
                }
                Listener::Unix(listener) => {
                    axum::serve(listener, router).with_graceful_shutdown(drain.cancelled_owned()).await
                }
            }
        });
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "waiting for a configuration");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending");
    server.shutdown().await;
    drain.cancel();
    let drained = tokio::time::timeout(DRAIN, async { while serving.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("connections were still open");
    }
    Ok(())
}

/// Writes the port so that whoever waits for the file never sees half of it.
fn write_port(path: &Path, listeners: &[Listener]) -> Result<(), Failure> {
    let port = listeners.iter().find_map(|listener| match listener {
        Listener::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
        Listener::Unix(_) => None,
    });
    let Some(port) = port else { return Err(Failure::usage("--port-file needs a TCP address to listen on")) };
    let write = || -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
        writeln!(file, "{port}")?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| {
        Failure::system(format!("the port cannot be written to {}: {error}", path.display()))
    })
}
