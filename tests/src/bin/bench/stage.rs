//! What a part is measured on: a server, a scripted model API behind it, an engine; and an end that leaves nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use agcluster_core::provider::{ContainerProvider, DestroyOptions, ListFilter, ProviderFactory};
use agcluster_tests::model_api::{ModelApi, Options as ModelOptions, Violation};
use agcluster_tests::system::{Api, needed};
use anyhow::{Context, Result, anyhow, ensure};
use bollard::Docker;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::bare;
use super::figure::Figure;
use super::options::{Options, Platform};
use super::server::Server;

/// The key that sessions are launched with.
const KEY: &str = "bench-key-0f6c2d";

/// Everything that one part needs.
pub(crate) struct Stage {
    pub(crate) options: Options,
    pub(crate) engine: Docker,
    pub(crate) server: Server,
    pub(crate) model: ModelApi,
    /// The platform without a server before it, for floors.
    pub(crate) provider: Arc<dyn ContainerProvider>,
    /// What the server's containers are labelled with, and bare ones; also the name of their network, which the provider
    /// makes.
    pub(crate) cluster: String,
    /// What containers are labelled with that the provider makes without the server, which removes strange ones of its
    /// own cluster.
    pub(crate) own_cluster: String,
    /// The folder of this stage; removed at the end.
    pub(crate) folder: TempDir,
}

impl Stage {
    /// Measures on a new stage and clears it whatever happens, also when `stop` says so.
    ///
    /// # Errors
    /// The measurement's, or that something was left behind.
    pub(crate) async fn with<M>(
        options: &Options,
        platform: Platform,
        stop: &CancellationToken,
        measure: M,
    ) -> Result<Vec<Figure>>
    where
        M: AsyncFnOnce(&Stage) -> Result<Vec<Figure>>,
    {
        let stage = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(anyhow!("interrupted")),
            stage = Box::pin(Self::set(options, platform)) => stage?,
        };
        let measured = tokio::select! {
            biased;
            () = stop.cancelled() => Err(anyhow!("interrupted")),
            measured = Box::pin(measure(&stage)) => measured,
        };
        let cleared = Box::pin(stage.clear(measured.is_err())).await;
        match (measured, cleared) {
            (Ok(figures), cleared) => cleared.map(|()| figures),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(left)) => Err(error.context(format!("also: {left:#}"))),
        }
    }

    async fn set(options: &Options, platform: Platform) -> Result<Self> {
        let engine = Docker::connect_with_defaults()?.negotiate_version().await?;
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let model = ModelApi::start(ModelOptions { listen, ..ModelOptions::default() }).await?;
        let folder = tempfile::Builder::new().prefix("agcluster-bench-").tempdir()?;
        let cluster = format!("bench-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let config = match platform {
            Platform::Docker => json!({ "image": options.image, "network": cluster }),
            Platform::Process => json!({
                "agent_binary": needed("AGCLUSTER_AGENT_BINARY")?,
                "claude": needed("AGCLUSTER_CLAUDE")?,
                "state_dir": folder.path().join("state"),
            }),
        };
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("providers"))?;
        std::fs::create_dir(path("agents"))?;
        std::fs::write(path("providers").join(format!("{}.yaml", platform.name())), config.to_string())?;
        let text = |path: PathBuf| path.display().to_string();
        let arguments = [
            ("--container-provider", platform.name().to_owned()),
            ("--provider-configs", text(path("providers"))),
            ("--agent-configs", text(path("agents"))),
            ("--agent-image", options.image.clone()),
            ("--docker-network", cluster.clone()),
            ("--cluster", cluster.clone()),
            ("--data-dir", text(path("data"))),
            ("--on-shutdown", "remove".to_owned()),
            ("--upload-max-file-size", "1g".to_owned()),
            ("--upload-max-files", "10000".to_owned()),
            ("--anthropic-base-url", model.url_for(bare::HOST)),
        ];
        let arguments: Vec<String> =
            arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        let program = match &options.server {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("agcluster-server"),
        };
        let server = Server::start(&program, &arguments, folder.path()).await?;
        let provider = provider(platform, config).await?;
        let own_cluster = format!("{cluster}-own");
        Ok(Self { options: options.clone(), engine, server, model, provider, cluster, own_cluster, folder })
    }

    /// A client of the server.
    pub(crate) fn api(&self) -> Api {
        self.server.api(KEY)
    }

    /// Destroys what the provider has of a cluster, and gives how many that was.
    async fn destroy_all(&self, cluster: &str) -> Result<usize> {
        let found = self.provider.list(ListFilter::cluster(cluster)).await?;
        for container in &found {
            self.provider.destroy(&container.id, DestroyOptions::default()).await?;
        }
        Ok(found.len())
    }

    /// Ends everything. What the server should have removed and did not is removed, and is an error.
    async fn clear(mut self, failed: bool) -> Result<()> {
        let log = std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let stopped = self.server.stop().await;
        let bare = bare::remove_all(&self.engine, &self.cluster).await;
        let own = self.destroy_all(&self.own_cluster).await;
        let left = self.destroy_all(&self.cluster).await;
        let network = bare::remove_network(&self.engine, &self.cluster).await;
        let violations: Vec<_> = self.model.violations().iter().map(Violation::to_string).collect();
        self.model.stop().await;
        if failed {
            let end: Vec<_> = log.lines().rev().take(5).collect();
            tracing::warn!(log = ?end, "the server's last words, newest first");
        }
        stopped?;
        bare?;
        own?;
        network?;
        let left = left?;
        ensure!(left == 0, "the server left {left} containers behind");
        ensure!(violations.is_empty(), "the model API was sent wrong requests: {}", violations.join("; "));
        Ok(())
    }
}

async fn provider(platform: Platform, config: Value) -> Result<Arc<dyn ContainerProvider>> {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    factory.create(platform.name(), config).await.context("the provider cannot be made")
}
