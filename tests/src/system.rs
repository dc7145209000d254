//! A whole AgCluster for a test: the server, the scripted model API behind it, and clients before it.

mod api;
mod description;
mod frames;
mod installation;
mod numbers;
mod resumed;
pub mod screen;

use std::net::{Ipv4Addr, SocketAddr};

use agcluster_core::config::ConfigCatalog;
use agcluster_core::provider::ProviderFactory;
use agcluster_core::session::Sessions;
use agcluster_server::{Server, Settings};
use anyhow::Context;
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use api::{Answer, Api, Session};
pub use frames::{Chat, Frame};
pub use installation::{Installation, Plan, server_program};
pub use numbers::{Numbers, Sample};
pub use resumed::{cut_everywhere, last_id, whole_frames};
pub use screen::Screen;

pub use crate::ground::{Provider, needed};

use crate::ground::{Ground, factory};
use crate::model_api::{ModelApi, Options as ModelOptions};

/// A configuration of Docker whose engine is not there.
pub fn no_engine() -> (&'static str, Value) {
    ("docker", json!({ "host": "unix:///nonexistent/docker.sock" }))
}

/// A running system. Stop it with [`stop`](Self::stop), which also looks for what it may have left behind.
#[derive(Debug)]
pub struct System {
    ground: Ground,
    cluster: String,
    address: SocketAddr,
    model: ModelApi,
    sessions: Sessions,
    configs: ConfigCatalog,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    folder: TempDir,
}

impl System {
    /// Starts a server with one provider, on a free port, and a scripted model API for its agents.
    ///
    /// # Errors
    /// Whatever keeps either from starting; nothing is skipped.
    pub async fn start(provider: Provider) -> anyhow::Result<Self> {
        Self::start_with(provider, &[]).await
    }

    /// The same with further command-line arguments of the server.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(provider: Provider, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_configured(provider, &[], arguments).await
    }

    /// A system whose Docker engine is not there.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_without_engine() -> anyhow::Result<Self> {
        Self::start_configured(Provider::Docker, &[no_engine()], &[]).await
    }

    /// A system whose streams to agents [can be cut](Self::cut_streams), whatever the platform.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_to_be_cut(provider: Provider) -> anyhow::Result<Self> {
        let ground = Ground::prepare(provider).await?;
        let platforms = ground.factory_with_cuts();
        Self::start_on(ground, &platforms, &[], &[]).await
    }

    /// A system with these configuration files of providers besides its own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_configured(
        provider: Provider,
        files: &[(&str, Value)],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        Self::start_on(Ground::prepare(provider).await?, &factory(), files, arguments).await
    }

    async fn start_on(
        ground: Ground,
        platforms: &ProviderFactory,
        files: &[(&str, Value)],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let provider = ground.provider();
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let model = ModelApi::start(ModelOptions { listen, ..ModelOptions::default() }).await?;
        let folder = tempfile::tempdir()?;
        configure(&ground, files, &folder)?;
        let cluster = format!("test-{}", uuid::Uuid::new_v4().simple());
        let model_url = model.url_for(&ground.host().await?);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (configs, agents, data) = (path("providers"), path("agents"), path("data"));
        // Everything is said here, so that nothing of this machine's environment counts.
        let mut all = vec![
            "agcluster-server",
            "--host=127.0.0.1",
            "--port=0",
            "--provider-configs",
            &configs,
            "--agent-configs",
            &agents,
            "--cluster",
            &cluster,
            "--anthropic-base-url",
            &model_url,
            "--data-dir",
            &data,
            "--on-shutdown=remove",
            "--container-cpu-quota=200000",
            "--container-memory-limit=1g",
        ];
        if !arguments.iter().any(|argument| argument.starts_with("--container-provider")) {
            // A cloud is there because it is configured, and is reached because a launch names it.
            let default = if provider.is_cloud() { Provider::Memory } else { provider };
            all.extend(["--container-provider", default.name()]);
        }
        all.extend_from_slice(arguments);
        // On the heap: a start is large, and stands in the future of every test.
        let server = Box::pin(Server::bind_with(Settings::try_parse_from(all)?, platforms)).await?;
        let address = server.address()?;
        let (sessions, configs) = (server.state().sessions.clone(), server.state().configs.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Ok(Self { ground, cluster, address, model, sessions, configs, stop, serving, folder })
    }

    /// Where it launches.
    pub fn provider(&self) -> Provider {
        self.ground.provider()
    }

    /// The name its containers are labelled with.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The name under which its agents reach this machine.
    ///
    /// # Errors
    /// When the engine does not say.
    pub async fn host(&self) -> anyhow::Result<String> {
        self.ground.host().await
    }

    /// The model API behind it.
    pub fn model(&self) -> &ModelApi {
        &self.model
    }

    /// Its sessions, from inside.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Its agent configurations, from inside.
    pub fn configs(&self) -> &ConfigCatalog {
        &self.configs
    }

    /// The folder of agent configurations that the server watches.
    pub fn agent_configs(&self) -> std::path::PathBuf {
        self.folder.path().join("agents")
    }

    /// The server's own folder, with its database.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Breaks every stream between the server and agents that is open now: of a cloud, or of a system that was [started for
    /// it](Self::start_to_be_cut).
    pub fn cut_streams(&self) {
        self.ground.cut_streams();
    }

    /// What there is now of its sessions on the platform, as that shows it.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        self.ground.left_behind(&self.cluster).await
    }

    /// A client that holds this key. On a cloud, its launches name the provider.
    pub fn api(&self, key: &str) -> Api {
        let api = Api::new(format!("http://{}", self.address), key);
        let provider = self.provider();
        if provider.is_cloud() { api.on(provider.name()) } else { api }
    }

    /// Stops the server and the model API.
    ///
    /// # Errors
    /// When something was left behind, or the model API was sent what it would have refused.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.serving.await?.context("the server ended badly")?;
        self.ground.end(&self.cluster).await?;
        self.model.assert_clean();
        self.model.stop().await;
        Ok(())
    }
}

/// Writes the providers' configurations; what a test says wins over the ground's.
fn configure(ground: &Ground, files: &[(&str, Value)], folder: &TempDir) -> anyhow::Result<()> {
    let (providers, agents) = (folder.path().join("providers"), folder.path().join("agents"));
    std::fs::create_dir_all(&providers)?;
    std::fs::create_dir_all(&agents)?;
    let own = (ground.provider().name(), ground.config().clone());
    for (name, config) in std::iter::once(&own).chain(files) {
        std::fs::write(providers.join(format!("{name}.yaml")), config.to_string())?;
    }
    Ok(())
}
