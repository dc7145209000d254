//! A provider that does what a test of a layer says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::time::Instant;

use super::Operation;
use crate::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Endpoint, Error, ErrorKind, Exec, ExecOptions, ExecOutput, Fork, Isolation, Labels,
    ListFilter, PathInContainer, Probe, ProviderInfo, Result, StopOptions,
};

/// Remembers what is called, takes its time, and answers the faults it was given before it answers well.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    shared: Arc<Shared>,
    platform: &'static str,
    takes: Duration,
    has_exec: bool,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<(Operation, Instant)>>,
    faults: Mutex<VecDeque<Error>>,
    containers: Mutex<Vec<Container>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::of("fake")
    }

    pub(crate) fn of(platform: &'static str) -> Self {
        Self { shared: Arc::default(), platform, takes: Duration::ZERO, has_exec: true }
    }

    pub(crate) fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    pub(crate) fn without_exec(self) -> Self {
        Self { has_exec: false, ..self }
    }

    pub(crate) fn provider(&self) -> Arc<dyn ContainerProvider> {
        Arc::new(self.clone())
    }

    /// The next call fails like this; several are used up in their order.
    pub(crate) fn fail(&self, kind: ErrorKind) -> &Self {
        self.fail_with(Error::new(kind, "fake", "call", "a test lets this call fail"))
    }

    pub(crate) fn fail_with(&self, error: Error) -> &Self {
        self.shared.faults.lock().unwrap().push_back(error);
        self
    }

    pub(crate) fn calls(&self) -> Vec<Operation> {
        self.shared.calls.lock().unwrap().iter().map(|(operation, _)| *operation).collect()
    }

    pub(crate) fn moments(&self) -> Vec<Instant> {
        self.shared.calls.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }

    /// What there is, by the ids of this platform.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.shared.containers.lock().unwrap().iter().map(|container| container.id.0.clone()).collect()
    }

    /// Puts a container there that nobody got an answer about.
    pub(crate) fn plant(&self, spec: &ContainerSpec) {
        self.shared.containers.lock().unwrap().push(container(&spec.labels));
    }

    async fn called(&self, operation: Operation) -> Result<()> {
        self.shared.calls.lock().unwrap().push((operation, Instant::now()));
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let fault = self.shared.faults.lock().unwrap().pop_front();
        fault.map_or(Ok(()), Err)
    }
}

pub(crate) fn id(name: &str) -> ContainerId {
    ContainerId(name.to_owned())
}

pub(crate) fn spec(session: &str) -> ContainerSpec {
    ContainerSpec::new(Labels {
        cluster: "test".into(),
        session: session.into(),
        agent: "agent".into(),
        generation: 1,
        expires_at: None,
    })
}

fn container(labels: &Labels) -> Container {
    Container {
        id: ContainerId(labels.container_name()),
        state: ContainerState::Running,
        labels: labels.clone(),
        created_at: None,
        expires_at: None,
        warnings: Vec::new(),
    }
}

#[async_trait]
impl ContainerProvider for Fake {
    fn info(&self) -> ProviderInfo {
        let capabilities = Capabilities {
            custom_image: true,
            fork: Some(Fork { stops_source: false }),
            exec: self.has_exec.then_some(Exec { max: None }),
            ..Capabilities::required(Isolation::Container)
        };
        ProviderInfo { platform: self.platform, capabilities }
    }

    async fn probe(&self) -> Result<Probe> {
        self.called(Operation::Probe).await.map(|()| Probe::default())
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        self.called(Operation::Create).await?;
        let made = container(&spec.labels);
        let mut containers = self.shared.containers.lock().unwrap();
        if !containers.contains(&made) {
            containers.push(made.clone());
        }
        Ok(made)
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        self.called(Operation::Inspect).await?;
        Ok(Container { id: id.clone(), ..container(&spec("inspected").labels) })
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        self.called(Operation::List).await?;
        let containers = self.shared.containers.lock().unwrap();
        Ok(containers.iter().filter(|found| filter.matches(&found.labels)).cloned().collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        self.called(Operation::Endpoint).await?;
        Ok(Endpoint::new(Address::Unix(id.0.clone().into())))
    }

    async fn stop(&self, _: &ContainerId, _: StopOptions) -> Result<()> {
        self.called(Operation::Stop).await
    }

    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        self.called(Operation::Destroy).await?;
        self.shared.containers.lock().unwrap().retain(|container| container.id != *id);
        Ok(())
    }

    async fn snapshot(&self, _: &ContainerId) -> Result<String> {
        self.called(Operation::Snapshot).await.map(|()| "snapshot".to_owned())
    }

    async fn fork(&self, _: &ContainerId, spec: ContainerSpec) -> Result<Container> {
        self.called(Operation::Fork).await.map(|()| container(&spec.labels))
    }

    async fn exec(&self, _: &ContainerId, _: ExecOptions) -> Result<ExecOutput> {
        self.called(Operation::Exec).await.map(|()| ExecOutput::default())
    }

    async fn write_archive(
        &self,
        _: &ContainerId,
        _: PathInContainer,
        _: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        self.called(Operation::WriteArchive).await
    }
}
