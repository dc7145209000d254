//! A whole AgCluster for a test: the server, the scripted model API behind it, and clients before it.

mod api;
mod frames;
mod leftovers;

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use agcluster_core::config::ConfigStore;
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

use crate::model_api::{ModelApi, Options as ModelOptions};

/// Where sessions of a system are launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Real Docker containers.
    Docker,
    /// Child processes.
    Process,
    /// Tasks in this process, with the scripted agent.
    Memory,
}

impl Provider {
    /// The name in configurations and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Memory => "memory",
        }
    }

    /// The name under which an agent reaches this machine.
    fn host(self) -> &'static str {
        match self {
            Self::Docker => "host.docker.internal",
            Self::Process | Self::Memory => "127.0.0.1",
        }
    }
}

/// A configuration of Docker whose engine is not there.
pub fn no_engine() -> (&'static str, Value) {
    ("docker", json!({ "host": "unix:///nonexistent/docker.sock" }))
}

/// A running system. Stop it with [`stop`](Self::stop), which also looks for what it may have left behind.
#[derive(Debug)]
pub struct System {
    provider: Provider,
    cluster: String,
    address: SocketAddr,
    model: ModelApi,
    sessions: Sessions,
    configs: ConfigStore,
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

    /// A system with these configuration files of providers besides its own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_configured(
        provider: Provider,
        files: &[(&str, Value)],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let model = ModelApi::start(ModelOptions { listen, ..ModelOptions::default() }).await?;
        let folder = tempfile::tempdir()?;
        configure(provider, files, &folder)?;
        let cluster = format!("test-{}", uuid::Uuid::new_v4().simple());
        let model_url = model.url_for(provider.host());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (configs, agents) = (path("providers"), path("agents"));
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
            "--container-cpu-quota=200000",
            "--container-memory-limit=1g",
        ];
        if !arguments.iter().any(|argument| argument.starts_with("--container-provider")) {
            all.extend(["--container-provider", provider.name()]);
        }
        all.extend_from_slice(arguments);
        let server = Server::bind(Settings::try_parse_from(all)?).await?;
        let address = server.address()?;
        let (sessions, configs) = (server.state().sessions.clone(), server.state().configs.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Ok(Self { provider, cluster, address, model, sessions, configs, stop, serving, folder })
    }

    /// Where it launches.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The name its containers are labelled with.
    pub fn cluster(&self) -> &str {
        &self.cluster
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
    pub fn configs(&self) -> &ConfigStore {
        &self.configs
    }

    /// The folder of agent configurations that the server watches.
    pub fn agent_configs(&self) -> std::path::PathBuf {
        self.folder.path().join("agents")
    }

    /// A client that holds this key.
    pub fn api(&self, key: &str) -> Api {
        Api::new(format!("http://{}", self.address), key)
    }

    /// Stops the server and the model API.
    ///
    /// # Errors
    /// When something was left behind, or the model API was sent what it would have refused.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.serving.await?.context("the server ended badly")?;
        leftovers::check(self.provider, &self.cluster, self.folder.path()).await?;
        self.model.assert_clean();
        self.model.stop().await;
        Ok(())
    }
}

/// Writes the provider's configuration.
fn configure(provider: Provider, files: &[(&str, Value)], folder: &TempDir) -> anyhow::Result<()> {
    let (providers, agents) = (folder.path().join("providers"), folder.path().join("agents"));
    std::fs::create_dir_all(&providers)?;
    std::fs::create_dir_all(&agents)?;
    for (name, config) in files {
        std::fs::write(providers.join(format!("{name}.yaml")), config.to_string())?;
    }
    if provider == Provider::Process {
        // The agent runs as another user, whose workspace is beneath.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let config = json!({
            "agent_binary": needed("AGCLUSTER_AGENT_BINARY")?,
            "claude": needed("AGCLUSTER_CLAUDE")?,
            "state_dir": folder.path().join("state"),
        });
        std::fs::write(providers.join("process.yaml"), config.to_string())?;
    }
    Ok(())
}

/// A path that `cargo xtask test` sets up.
///
/// # Errors
/// When it is not set.
pub fn needed(variable: &str) -> anyhow::Result<String> {
    std::env::var(variable).with_context(|| {
        format!("{variable} is not set: run the tests with `cargo xtask test`, which prepares what they need")
    })
}
