//! The trait.

use std::collections::btree_map::Entry as MapEntry;
use std::path::PathBuf;
use std::sync::Arc;

use agcluster_agent::TokenDigest;
use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use agcluster_core::provider::{
    Address, Capabilities, CapacityScope, Container, ContainerId, ContainerProvider, ContainerSpec,
    DestroyOptions, Endpoint, Error, ErrorKind, Isolation, Labels, Limits, ListFilter, Probe, ProviderInfo,
    Result, Start, StopOptions,
};
use async_trait::async_trait;
use jiff::Timestamp;

use super::container::Running;
use super::dial::MemoryDial;
use super::world::{Entry, Run, State, World};
use super::{MemoryConfig, PLATFORM};
use crate::name::{self, Name};

/// Containers that are tasks of this process. Clones are the same platform; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct MemoryProvider {
    config: Arc<MemoryConfig>,
    world: Arc<World>,
}

impl Default for MemoryProvider {
    fn default() -> Self {
        Self::new(MemoryConfig::default())
    }
}

impl MemoryProvider {
    /// A platform without any container.
    pub fn new(config: MemoryConfig) -> Self {
        Self { config: Arc::new(config), world: Arc::default() }
    }

    /// Lets the next call of an operation (`create`, `endpoint`, …, as in [`Error::operation`]) fail with this kind of error, before
    /// it does anything. Several are used up in their order.
    pub fn fail_next(&self, operation: &'static str, kind: ErrorKind) {
        self.world.add_fault(operation, kind);
    }

    /// Ends a container as a crash does: connections break in the middle, nothing is said to anybody. Whether there was
    /// such a container, and it ran.
    pub fn crash(&self, id: &ContainerId) -> bool {
        let ended = Run::Ended { exit_code: 137, reason: Some("it crashed".to_owned()) };
        let mut state = self.world.state();
        match state.containers.get_mut(&id.0) {
            Some(entry) if matches!(entry.run, Run::Running(_)) => {
                entry.run = ended;
                true
            }
            _ => false,
        }
    }

    /// Lets a container refuse new connections, or take them again. Open ones go on.
    pub fn refuse_connections(&self, id: &ContainerId, refuse: bool) {
        self.world.refuse(&id.0, refuse);
    }

    /// Where the workspace of a session is, or will be.
    fn folder_of(&self, state: &mut State, labels: &Labels, operation: &'static str) -> Result<PathBuf> {
        state.folder_of(&self.config, &name::workspace(labels)).map_err(|source| {
            error(
                ErrorKind::Unavailable,
                operation,
                format!("no folder for workspaces can be made: {source}"),
            )
        })
    }

    /// Fails if a test wants that.
    fn begin(&self, operation: &'static str) -> Result<()> {
        match self.world.fault(operation) {
            Some(kind) => Err(error(kind, operation, "a test lets this call fail")),
            None => Ok(()),
        }
    }
}

fn error(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

fn not_found(id: &ContainerId, operation: &'static str) -> Error {
    error(ErrorKind::NotFound, operation, format!("there is no container {id}"))
}

#[async_trait]
impl ContainerProvider for MemoryProvider {
    fn info(&self) -> ProviderInfo {
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                start: Some(Start { keeps_workspace: true }),
                ..Capabilities::required(Isolation::None)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        self.begin("probe")?;
        let warning =
            "containers are tasks of the server: they isolate nothing and run the scripted agent only";
        Ok(Probe { version: None, warnings: vec![warning.to_owned()] })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        self.begin("create")?;
        let refuse = |kind, message: &str| Err(error(kind, "create", message));
        if spec.image.is_some() {
            return refuse(ErrorKind::Invalid, "there are no images here: leave the image out");
        }
        let token = spec.env.get(TOKEN_DIGEST_ENV).and_then(|digest| TokenDigest::from_hex(digest).ok());
        let Some(token) = token else {
            return refuse(
                ErrorKind::Invalid,
                "the environment has no token digest: set AGCLUSTER_TOKEN_SHA256",
            );
        };
        let name = spec.labels.container_name();
        let mut state = self.world.state();
        let folder = self.folder_of(&mut state, &spec.labels, "create")?;
        let count = state.containers.len();
        let entry = match state.containers.entry(name.clone()) {
            MapEntry::Occupied(entry) => {
                let entry = entry.into_mut();
                let (theirs, ours) = (&entry.labels, &spec.labels);
                if (&theirs.cluster, &theirs.session) != (&ours.cluster, &ours.session) {
                    return refuse(
                        ErrorKind::AlreadyExists,
                        "a container of this name belongs to somebody else",
                    );
                }
                if let Run::Ended { .. } = entry.run {
                    entry.run = Run::Running(Running::start(entry.token, folder));
                }
                entry
            }
            MapEntry::Vacant(_) if count >= self.config.max_containers => {
                let full = ErrorKind::Capacity(CapacityScope::Platform);
                return refuse(full, "there is no room for another container: remove one");
            }
            MapEntry::Vacant(vacant) => vacant.insert(Entry {
                labels: spec.labels.clone(),
                token,
                created_at: Timestamp::now(),
                warnings: Limits::default()
                    .warnings(spec.resources, "this container is a task of the server"),
                run: Run::Running(Running::start(token, folder)),
            }),
        };
        let view = entry.view(&name);
        state.workspaces.entry(name::workspace(&spec.labels)).or_insert(spec.labels);
        Ok(view)
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        self.begin("inspect")?;
        let state = self.world.state();
        let found = state.containers.get(&id.0).map(|entry| entry.view(&id.0));
        found
            .or_else(|| state.remains().find(|remains| remains.id == *id))
            .ok_or_else(|| not_found(id, "inspect"))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        self.begin("list")?;
        let state = self.world.state();
        let containers = state.containers.iter().map(|(name, entry)| entry.view(name));
        Ok(containers.chain(state.remains()).filter(|found| filter.matches(&found.labels)).collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        self.begin("endpoint")?;
        match self.world.state().containers.get(&id.0).map(|entry| &entry.run) {
            Some(Run::Running(_)) => {
                let dial = MemoryDial { world: self.world.clone(), container: id.0.clone() };
                Ok(Endpoint::new(Address::Dial(Arc::new(dial))))
            }
            Some(Run::Ended { .. }) => {
                Err(error(ErrorKind::Gone, "endpoint", "the container does not run: start it first"))
            }
            None => Err(not_found(id, "endpoint")),
        }
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        self.begin("stop")?;
        let run = {
            let mut state = self.world.state();
            if state.remains().any(|remains| remains.id == *id) {
                return Ok(());
            }
            let entry = state.containers.get_mut(&id.0).ok_or_else(|| not_found(id, "stop"))?;
            match entry.run {
                Run::Running(_) => {
                    std::mem::replace(&mut entry.run, Run::Ended { exit_code: 0, reason: None })
                }
                Run::Ended { .. } => return Ok(()),
            }
        };
        if let Run::Running(running) = run {
            running.stop(options.grace).await;
        }
        Ok(())
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        self.begin("destroy")?;
        let Some(name) = Name::of(id) else { return Ok(()) };
        let folder = {
            let mut state = self.world.state();
            state.containers.remove(&id.0);
            state.refusing.remove(&id.0);
            let workspace = name.workspace();
            // The session's next generation may have it already.
            let is_used = state.containers.values().any(|entry| name::workspace(&entry.labels) == workspace);
            if options.keep_workspace || is_used || state.workspaces.remove(&workspace).is_none() {
                return Ok(());
            }
            state.folder_of(&self.config, &workspace)
        };
        // What cannot be removed now goes with the platform.
        if let Ok(folder) = folder {
            let _ = tokio::fs::remove_dir_all(folder).await;
        }
        Ok(())
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        self.begin("start")?;
        let mut state = self.world.state();
        let labels = state.containers.get(&id.0).map(|entry| entry.labels.clone());
        let folder = self.folder_of(&mut state, &labels.ok_or_else(|| not_found(id, "start"))?, "start")?;
        let entry = state.containers.get_mut(&id.0).ok_or_else(|| not_found(id, "start"))?;
        if let Run::Ended { .. } = entry.run {
            entry.run = Run::Running(Running::start(entry.token, folder));
        }
        Ok(entry.view(&id.0))
    }
}

#[cfg(test)]
mod tests;
