//! A server in this process, over a platform in this process: what is measured is the control plane and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agcluster_core::agent::TokenKey;
use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::protocol::Secret;
use agcluster_core::provider::ProviderSet;
use agcluster_core::session::{Launch, Owner, Session, Sessions};
use agcluster_core::store::{self, DatabaseUrl, Store};
use agcluster_providers::memory::{MemoryConfig, MemoryProvider};
use agcluster_server::Server;
use agcluster_tests::system::Api;
use anyhow::{Context, Result};
use clap::Parser;
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::by_hand;
use super::limits::{STEP, soon};

/// The key that sessions are launched with.
const KEY: &str = "bench-key-0f6c2d";
/// Launches at a time.
const AT_ONCE: usize = 16;

/// What outlives a run of the server: a platform and a folder.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) provider: MemoryProvider,
    folder: TempDir,
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) sessions: Sessions,
    store: Arc<dyn Store>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl World {
    /// With nothing in it.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("agcluster-bench-").tempdir()?;
        Ok(Self { provider: MemoryProvider::new(MemoryConfig::default()), folder })
    }

    /// A folder of its own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a server, and answers when it serves. Nothing is adopted yet.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub(crate) async fn start(&self) -> Result<Running> {
        let store = store::open(&DatabaseUrl::sqlite(self.folder().join("agcluster.db"))).await?;
        let sessions = Sessions::builder(ProviderSet::of(Arc::new(self.provider.clone())))
            .store(Arc::clone(&store))
            .cluster("bench")
            .token_key(key())
            .build()?;
        sessions.recover().await?;
        // The routes are those of a server; its sessions are these.
        // Configurations are watched, so they are not where the database is written.
        let configs = self.folder().join("configs");
        std::fs::create_dir_all(&configs)?;
        let folder = configs.display().to_string();
        let settings = agcluster_server::Settings::try_parse_from([
            "agcluster-server",
            "--host=127.0.0.1",
            "--port=0",
            "--container-provider=memory",
            "--database-url=memory:",
            "--data-dir",
            &folder,
            "--provider-configs",
            &folder,
            "--agent-configs",
            &folder,
        ])?;
        let template = Server::bind(settings).await?;
        let state = agcluster_server::AppState { sessions: sessions.clone(), ..template.state().clone() };
        drop(template);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let app = agcluster_server::router(state);
        let serving =
            tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        let running = Running { sessions, store, address, stop, serving };
        let answer = soon("the first answer", STEP, running.api().get("/health")).await?;
        anyhow::ensure!(answer.status.is_success(), "/health was answered {}", answer.status);
        Ok(running)
    }
}

impl Running {
    /// A client.
    pub(crate) fn api(&self) -> Api {
        Api::new(format!("http://{}", self.address), KEY)
    }

    /// A connection on which a path was asked for [by hand](by_hand::get).
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn get(&self, path: &str) -> Result<TcpStream> {
        let mut connection = TcpStream::connect(self.address).await?;
        by_hand::get(&mut connection, path, KEY).await?;
        Ok(connection)
    }

    /// Launches scripted sessions.
    ///
    /// # Errors
    /// The first that fails.
    pub(crate) async fn launch(&self, many: usize) -> Result<Vec<Arc<Session>>> {
        let launch = launch()?;
        futures::stream::iter(0..many)
            .map(|_| soon("a launch", STEP, async { Ok(self.sessions.launch(launch.clone()).await?) }))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Finds out what is true of all sessions of an earlier run, and gives how long it took.
    ///
    /// # Errors
    /// When not all can be settled.
    pub(crate) async fn adopt(&self) -> Result<Duration> {
        let begun = Instant::now();
        soon("the adoption", STEP, async {
            self.sessions.adopt().await;
            Ok(())
        })
        .await?;
        let (progress, took) = (*self.sessions.progress().borrow(), begun.elapsed());
        anyhow::ensure!(
            progress.settled == progress.found,
            "of all sessions these were settled: {progress:?}"
        );
        Ok(took)
    }

    /// Ends it. Its sessions go on.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn end(self) -> Result<()> {
        self.sessions.release().await;
        self.stop.cancel();
        soon("the server's end", STEP, async { Ok(self.serving.await??) }).await?;
        drop(self.sessions);
        self.store.close().await;
        Ok(())
    }
}

/// The key of all containers' tokens.
pub(crate) fn key() -> TokenKey {
    TokenKey::from_secret(&Secret::new("the same in each run"))
}

fn launch() -> Result<Launch> {
    let config = AgentConfig::from_yaml("{id: bench, name: Bench, driver: scripted}")?.config;
    let options =
        config.to_options(&McpEnv::new(), &AgentDefaults::default()).context("the configuration")?;
    Ok(Launch::new(&config, options, Owner::of(&Secret::new(KEY))))
}
