//! The trait.

mod store;
mod watch;

use std::path::Path;
use std::sync::Arc;

use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Endpoint, ErrorKind, Isolation, ListFilter, LogLine, LogOptions, Logs, Pause, Probe,
    ProviderInfo, Result, Start, StopOptions, found,
};
use async_trait::async_trait;
use futures::stream::BoxStream;

use super::config::ProcessConfig;
use super::error::{error, file, not_found, not_running};
use super::identity::Identity;
use super::layout::Layout;
use super::lock::Lock;
use super::{PLATFORM, logs};
use crate::name::Name;
use store::Store;
use watch::Watches;

/// Containers that are child processes of this machine. Cheap to clone.
///
/// Files hold all there is to know: any number of providers, in any number of processes, may work on one folder.
#[derive(Debug, Clone)]
pub struct ProcessProvider {
    store: Arc<Store>,
    watches: Watches,
}

impl ProcessProvider {
    /// A provider over the configured folder, which is made at the first `create`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a configuration that cannot work, [`ErrorKind::Precondition`] when there is no home folder
    /// to put the state into.
    pub fn new(config: ProcessConfig) -> Result<Self> {
        config.validate()?;
        let root = config.state_dir(|name| std::env::var(name).ok()).ok_or_else(|| {
            error(ErrorKind::Precondition, "configure", "this user has no HOME: set state_dir")
        })?;
        let watches = Watches::new(config.max_log.get());
        Ok(Self { store: Arc::new(Store { config, layout: Layout::new(root) }), watches })
    }

    fn layout(&self) -> &Layout {
        &self.store.layout
    }

    /// Runs what may block, on a thread for that. It runs to its end also when the caller goes away.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.unwrap_or_else(|broken| {
            Err(error(ErrorKind::Unavailable, operation, "the call broke off: try again").with_source(broken))
        })
    }

    /// Waits for the session's lock.
    async fn lock(&self, name: Name<'_>, operation: &'static str) -> Result<Lock> {
        let path = self.layout().lock(&name.workspace());
        Lock::take(&path).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::TimedOut => {
                error(ErrorKind::Timeout, operation, "another call changes this session: try again")
            }
            std::io::ErrorKind::NotFound => not_found(&path_name(&path), operation),
            _ => file(source, operation, &path),
        })
    }

    /// Takes the lock and looks at a container that must be there.
    async fn locked(&self, id: &ContainerId, operation: &'static str) -> Result<(Lock, Found)> {
        let Some(name @ Name::Container(container)) = Name::of(id) else {
            return Err(not_found(&id.0, operation));
        };
        let missing = || not_found(&id.0, operation);
        // A lock on what is not there would leave its file behind.
        self.find(container, operation).await?.ok_or_else(missing)?;
        let lock = self.lock(name, operation).await?;
        let found = self.find(container, operation).await?.ok_or_else(missing)?;
        Ok((lock, found))
    }

    async fn find(&self, container: &str, operation: &'static str) -> Result<Option<Found>> {
        let container = container.to_owned();
        let found = self.blocking(operation, move |store| store.find(&container, operation)).await?;
        if let Some(Found { view, process: Some(process) }) = &found {
            self.watches.add(process, self.layout().log(&view.id.0));
        }
        Ok(found)
    }
}

/// A container as it is now.
#[derive(Debug)]
pub(super) struct Found {
    view: Container,
    /// Its agent server, if it lives.
    process: Option<Identity>,
}

fn path_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[async_trait]
impl ContainerProvider for ProcessProvider {
    fn info(&self) -> ProviderInfo {
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                start: Some(Start { keeps_workspace: true }),
                pause: Some(Pause { keeps_memory: true }),
                logs: Some(Logs { follow: true }),
                ..Capabilities::required(Isolation::None)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        self.blocking("probe", |store| {
            store.ready("probe")?;
            let warning = "the agent runs on this machine without isolation: it can read and change whatever its user may";
            Ok(Probe { version: None, warnings: vec![warning.to_owned()] })
        })
        .await
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let refuse = |message: &str| Err(error(ErrorKind::Invalid, "create", message));
        if spec.image.is_some() {
            return refuse("there are no images here: leave the image out, or use another provider");
        }
        if !spec.env.contains_key(TOKEN_DIGEST_ENV) {
            return refuse("the environment has no token digest: set AGCLUSTER_TOKEN_SHA256");
        }
        self.blocking("create", |store| store.ready("create").map(|_| ())).await?;
        let id = ContainerId(spec.labels.container_name());
        let lock = self.lock(Name::Container(&id.0), "create").await?;
        // The lock goes with the work, which is done also when the caller goes away.
        let (made, lock) = self.blocking("create", move |store| Ok((store.create(&spec), lock))).await?;
        made?;
        drop(lock);
        match self.find(&id.0, "create").await? {
            Some(Found { view: Container { state: ContainerState::Paused, .. }, .. }) => {
                self.resume(&id).await
            }
            found => found.map(|found| found.view).ok_or_else(|| {
                error(ErrorKind::Unavailable, "create", "another call removed the container: try again")
            }),
        }
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        let found = match Name::of(id) {
            Some(Name::Container(container)) => {
                self.find(container, "inspect").await?.map(|found| found.view)
            }
            Some(Name::Workspace(workspace)) => {
                let workspace = workspace.to_owned();
                self.blocking("inspect", move |store| store.remains(&workspace, "inspect")).await?
            }
            None => None,
        };
        found.ok_or_else(|| not_found(&id.0, "inspect"))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let found = self.blocking("list", |store| store.list("list")).await?;
        for Found { view, process } in &found {
            if let Some(process) = process {
                self.watches.add(process, self.layout().log(&view.id.0));
            }
        }
        Ok(found.into_iter().map(|found| found.view).filter(|view| filter.matches(&view.labels)).collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let Some(Name::Container(container)) = Name::of(id) else {
            return Err(not_found(&id.0, "endpoint"));
        };
        let found = self.find(container, "endpoint").await?;
        match found.ok_or_else(|| not_found(&id.0, "endpoint"))?.view.state {
            ContainerState::Running => Ok(Endpoint::new(Address::Unix(self.layout().socket(container)))),
            ContainerState::Paused => {
                let message = "the container is paused: resume it first";
                Err(error(ErrorKind::Precondition, "endpoint", message))
            }
            _ => Err(not_running("endpoint")),
        }
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        if let Some(Name::Workspace(_)) = Name::of(id) {
            // What remains of a container stands still.
            return self.inspect(id).await.map(|_| ());
        }
        let (_lock, found) = self.locked(id, "stop").await?;
        let tree = self.store.tree(&id.0, found.process);
        let ended = async {
            tree.terminate(options.grace).await?;
            tree.kill().await
        };
        ended.await.map_err(|source| store::processes(source, "stop"))
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        let Some(name) = Name::of(id) else { return Ok(()) };
        // Otherwise nothing has ever been made here.
        let Some(lock) = found(self.lock(name, "destroy").await)? else { return Ok(()) };
        if let Name::Container(container) = name {
            let process = self.find(container, "destroy").await?.and_then(|found| found.process);
            let tree = self.store.tree(container, process);
            tree.kill().await.map_err(|source| store::processes(source, "destroy"))?;
        }
        let id = id.clone();
        self.blocking("destroy", move |store| {
            let Some(name) = Name::of(&id) else { return Ok(()) };
            store.remove(name, options.keep_workspace, lock)
        })
        .await
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        let (lock, found) = self.locked(id, "start").await?;
        if found.process.is_none() {
            let container = id.0.clone();
            let (started, lock) =
                self.blocking("start", move |store| Ok((store.restart(&container, "start"), lock))).await?;
            started?;
            drop(lock);
        }
        self.inspect(id).await
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        let (_lock, found) = self.locked(id, "pause").await?;
        let process = found.process.ok_or_else(|| not_running("pause"))?;
        let tree = self.store.tree(&id.0, Some(process));
        tree.pause().await.map_err(|source| store::processes(source, "pause"))
    }

    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        let (lock, found) = self.locked(id, "resume").await?;
        let process = found.process.ok_or_else(|| not_running("resume"))?;
        let container = id.0.clone();
        let (resumed, lock) = self
            .blocking("resume", move |store| Ok((store.tree(&container, Some(process)).resume(), lock)))
            .await?;
        resumed.map_err(|source| store::processes(source, "resume"))?;
        drop(lock);
        self.inspect(id).await
    }

    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        let Some(Name::Container(container)) = Name::of(id) else {
            return Err(not_found(&id.0, "logs"));
        };
        let found = self.find(container, "logs").await?.ok_or_else(|| not_found(&id.0, "logs"))?;
        let path = self.layout().log(container);
        logs::read(container, path, options, found.process)
    }
}

/// The name of a session's workspace, for those who only have the container's.
fn workspace_of(container: &str) -> String {
    Name::Container(container).workspace()
}
