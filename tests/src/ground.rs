//! What a provider stands on in a test: an engine, a folder, a fake of its platform; and whether anything is left there.

mod leftovers;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use agcluster_core::provider::{ContainerProvider, ListFilter, ProviderFactory};
use agcluster_providers::memory::MemoryProvider;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where containers are made.
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
    /// All there are, the quickest first.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Process, Self::Docker];

    /// The name in configurations and requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Memory => "memory",
        }
    }

    /// The name under which an agent reaches this machine.
    pub fn host(self) -> &'static str {
        match self {
            Self::Docker => "host.docker.internal",
            Self::Process | Self::Memory => "127.0.0.1",
        }
    }
}

/// What a provider stands on. End it with [`end`](Self::end), which also looks for what may be left there.
#[derive(Debug)]
pub struct Ground {
    provider: Provider,
    config: Value,
    memory: MemoryProvider,
    folder: TempDir,
}

impl Ground {
    /// Prepares what this provider needs.
    ///
    /// # Errors
    /// Whatever is missing; nothing is skipped.
    pub async fn prepare(provider: Provider) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("agc").tempdir()?;
        // Where agents run as another user, their workspace is beneath.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let config = match provider {
            Provider::Memory => json!({}),
            Provider::Docker => json!({ "image": image() }),
            Provider::Process => json!({
                "agent_binary": needed("AGCLUSTER_AGENT_BINARY")?,
                "claude": needed("AGCLUSTER_CLAUDE")?,
                "state_dir": folder.path().join("state"),
            }),
        };
        Ok(Self { provider, config, memory: MemoryProvider::default(), folder })
    }

    /// Whose ground it is.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// What a server's configuration file holds to stand on it.
    pub fn config(&self) -> &Value {
        &self.config
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
        let mut factory = ProviderFactory::new();
        agcluster_providers::register_all(&mut factory);
        Ok(factory.create(self.provider.name(), self.config.clone()).await?)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When something is left there of clusters whose names begin like this.
    pub async fn end(self, clusters: &str) -> anyhow::Result<()> {
        let left = match self.provider {
            Provider::Docker => leftovers::of_docker(clusters).await?,
            Provider::Process => leftovers::of_processes(&self.folder.path().join("state"))?,
            Provider::Memory => {
                let list = self.memory.list(ListFilter::default()).await?;
                list.into_iter().map(|container| container.id.0).collect()
            }
        };
        ensure!(left.is_empty(), "{} has something left: {left:#?}", self.provider.name());
        Ok(())
    }
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
