//! What a provider stands on in a test: an engine, a folder, a platform of this machine's own making; and whether anything is left there.

mod cloud;
mod cuts;
mod leftovers;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use agcluster_core::layers::Layer;
use agcluster_core::provider::{ContainerProvider, ListFilter, ProviderFactory};
use agcluster_providers::memory::MemoryProvider;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use cloud::Cloud;
use cuts::Cuts;

use crate::platforms::cloudflare;
use crate::platforms::front::Front;

/// Where a Docker engine listens that is like most.
const ENGINE: &str = "/var/run/docker.sock";

/// Where containers are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Tasks in this process, with the scripted agent.
    Memory,
    /// Child processes.
    Process,
    /// Real Docker containers.
    Docker,
    /// A fake of Fly's API, with Docker containers for machines.
    FlyMachines,
    /// A fake of Vercel's API, with Docker containers for machines.
    Vercel,
    /// The real gateway Worker in the real `workerd`, with Docker containers.
    Cloudflare,
}

impl Provider {
    /// All there are, the quickest first.
    pub const ALL: [Self; 6] =
        [Self::Memory, Self::Process, Self::Docker, Self::FlyMachines, Self::Vercel, Self::Cloudflare];

    /// The name in configurations and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Process => "process",
            Self::Docker => "docker",
            Self::FlyMachines => "fly_machines",
            Self::Vercel => "vercel",
            Self::Cloudflare => "cloudflare",
        }
    }

    /// Whether it is somebody else's machines.
    pub fn is_cloud(self) -> bool {
        matches!(self, Self::FlyMachines | Self::Vercel | Self::Cloudflare)
    }
}

/// What a provider stands on. End it with [`end`](Self::end), which also looks for what may be left there.
#[derive(Debug)]
pub struct Ground {
    provider: Provider,
    config: Value,
    memory: MemoryProvider,
    cloud: Option<Cloud>,
    engine: Option<Front>,
    cuts: Cuts,
    folder: TempDir,
}

impl Ground {
    /// Prepares what this provider needs.
    ///
    /// # Errors
    /// Whatever is missing; nothing is skipped.
    pub async fn prepare(provider: Provider) -> anyhow::Result<Self> {
        Self::on(provider, Box::pin(Cloud::start(provider)).await?)
    }

    /// Prepares a cloud in whose machines agent servers are tasks of this process, with no files and no commands behind them.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn prepare_with_tasks(provider: Provider) -> anyhow::Result<Self> {
        Self::on(provider, Box::pin(Cloud::start_with_tasks(provider)).await?)
    }

    /// Prepares what this provider needs, and counts what its platform is asked: a Docker engine through something in between,
    /// which passes on requests and answers, but no connection that is taken over.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn prepare_counted(provider: Provider) -> anyhow::Result<Self> {
        let mut ground = Self::prepare(provider).await?;
        if provider == Provider::Docker {
            let engine = Front::of_socket(Path::new(ENGINE)).await?;
            ground.config["host"] = json!(engine.url());
            ground.engine = Some(engine);
        }
        Ok(ground)
    }

    fn on(provider: Provider, cloud: Option<Cloud>) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("agc").tempdir()?;
        // Where agents run as another user, their workspace is beneath.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let config = match (provider, &cloud) {
            (_, Some(cloud)) => cloud.config(),
            (Provider::Docker, None) => json!({ "image": image() }),
            (Provider::Process, None) => json!({
                "agent_binary": needed("AGCLUSTER_AGENT_BINARY")?,
                "claude": needed("AGCLUSTER_CLAUDE")?,
                "state_dir": folder.path().join("state"),
            }),
            (_, None) => json!({}),
        };
        let (memory, cuts) = (MemoryProvider::default(), Cuts::default());
        Ok(Self { provider, config, memory, cloud, engine: None, cuts, folder })
    }

    /// Whose ground it is.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// What a server's configuration file holds to stand on it.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The name under which an agent reaches this machine.
    ///
    /// # Errors
    /// When the engine does not say.
    pub async fn host(&self) -> anyhow::Result<String> {
        Ok(match self.provider {
            Provider::Memory | Provider::Process => "127.0.0.1".to_owned(),
            Provider::Cloudflare => cloudflare::agent_host().await?,
            Provider::Docker | Provider::FlyMachines | Provider::Vercel => "host.docker.internal".to_owned(),
        })
    }

    /// A provider on it, made by its name as a server makes it; another one over the same platform each time.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub async fn make(&self) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        if self.provider == Provider::Memory {
            // By its name, each would be a platform of its own.
            return Ok(Arc::new(self.memory.clone()));
        }
        Ok(factory().create(self.provider.name(), self.config.clone()).await?)
    }

    /// All platforms, this ground's with a line to its agent servers that can be cut: clouds of this machine's own making have one anyway.
    pub fn factory_with_cuts(&self) -> ProviderFactory {
        let mut with_cuts = factory();
        if self.cloud.is_none() {
            let (name, cuts, plain) = (self.provider.name(), self.cuts.clone(), factory());
            with_cuts.register(name, move |config| {
                let (cuts, plain) = (cuts.clone(), plain.clone());
                async move { Ok(cuts.on(plain.create(name, config).await?)) }
            });
        }
        with_cuts
    }

    /// How many requests the platform's API has been sent; `None` where nothing is in between that counts.
    pub fn requests(&self) -> Option<usize> {
        let of_engine = || self.engine.as_ref().map(|engine| engine.requests().len());
        self.cloud.as_ref().map(Cloud::requests).or_else(of_engine)
    }

    /// Breaks every stream to an agent server that is open now, where the platform is in between or the provider is one of
    /// [`factory_with_cuts`](Self::factory_with_cuts).
    pub fn cut_streams(&self) {
        if let Some(cloud) = &self.cloud {
            cloud.cut_streams();
        }
        self.cuts.cut();
    }

    /// What is there now of clusters whose names begin like this; of a platform of this machine's own making, whatever is there.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn left_behind(&self, clusters: &str) -> anyhow::Result<Vec<String>> {
        match (self.provider, &self.cloud) {
            (_, Some(cloud)) => cloud.left_behind().await,
            (Provider::Docker, None) => leftovers::of_docker(clusters).await,
            (Provider::Process, None) => leftovers::of_processes(&self.folder.path().join("state")),
            (_, None) => {
                let list = self.memory.list(ListFilter::default()).await?;
                Ok(list.into_iter().map(|container| container.id.0).collect())
            }
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// When something is left there of clusters whose names begin like this, or the platform was sent what it would refuse.
    pub async fn end(self, clusters: &str) -> anyhow::Result<()> {
        let left = self.left_behind(clusters).await?;
        if let Some(cloud) = self.cloud {
            let violations = cloud.violations();
            cloud.stop().await?;
            ensure!(violations.is_empty(), "wrong requests: {violations:#?}");
        }
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
        ensure!(left.is_empty(), "{} has something left: {left:#?}", self.provider.name());
        Ok(())
    }
}

/// All platforms.
pub fn factory() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    factory
}

/// The agent image.
pub fn image() -> String {
    std::env::var("AGCLUSTER_TEST_IMAGE").unwrap_or_else(|_| "agcluster/agent:latest".to_owned())
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
