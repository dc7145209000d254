//! A platform whose every container holds the hostile agent server.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Dial, Endpoint, Error, ErrorKind, Io, Isolation, Labels, ListFilter, Probe, ProviderInfo,
    Result, StopOptions,
};
use async_trait::async_trait;

use crate::agent::{self, Malice};

const PLATFORM: &str = "hostile";

/// The platform.
#[derive(Debug)]
pub(super) struct Hostile {
    malice: Malice,
    containers: Mutex<BTreeMap<String, Labels>>,
}

impl Hostile {
    pub(super) fn new(malice: Malice) -> Arc<Self> {
        Arc::new(Self { malice, containers: Mutex::default() })
    }

    /// How many containers there are.
    pub(super) fn len(&self) -> usize {
        self.containers.lock().unwrap().len()
    }

    fn look(&self, id: &ContainerId, operation: &'static str) -> Result<Container> {
        let containers = self.containers.lock().unwrap();
        let labels = containers.get(&id.0).cloned();
        let labels = labels.ok_or_else(|| Error::new(ErrorKind::NotFound, PLATFORM, operation, "none"))?;
        Ok(container(&id.0, labels))
    }
}

fn container(name: &str, labels: Labels) -> Container {
    Container {
        id: ContainerId(name.to_owned()),
        state: ContainerState::Running,
        labels,
        created_at: None,
        expires_at: None,
        warnings: Vec::new(),
    }
}

struct Connect(Malice);

#[async_trait]
impl Dial for Connect {
    async fn dial(&self) -> io::Result<Box<dyn Io>> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let malice = self.0;
        // It fails when nobody listens any more, and that is its end.
        tokio::spawn(async move { agent::serve(malice, theirs).await.ok() });
        Ok(Box::new(ours))
    }
}

#[async_trait]
impl ContainerProvider for Hostile {
    fn info(&self) -> ProviderInfo {
        ProviderInfo { platform: PLATFORM, capabilities: Capabilities::required(Isolation::None) }
    }

    async fn probe(&self) -> Result<Probe> {
        Ok(Probe::default())
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let name = spec.labels.container_name();
        self.containers.lock().unwrap().insert(name.clone(), spec.labels.clone());
        Ok(container(&name, spec.labels))
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        self.look(id, "inspect")
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let containers = self.containers.lock().unwrap();
        let all = containers.iter().map(|(name, labels)| container(name, labels.clone()));
        Ok(all.filter(|container| filter.matches(&container.labels)).collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        self.look(id, "endpoint")?;
        Ok(Endpoint::new(Address::Dial(Arc::new(Connect(self.malice)))))
    }

    async fn stop(&self, id: &ContainerId, _: StopOptions) -> Result<()> {
        self.look(id, "stop").map(drop)
    }

    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        self.containers.lock().unwrap().remove(&id.0);
        Ok(())
    }
}
