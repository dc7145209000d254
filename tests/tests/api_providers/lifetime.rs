//! A container that its platform would end is kept for as long as its session is in use.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::protocol::Secret;
use agcluster_core::provider::{
    Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Endpoint,
    Lifetime, ListFilter, Probe, ProviderInfo, Result, StopOptions,
};
use agcluster_core::session::{Launch, Owner, Sessions};
use agcluster_providers::memory::MemoryProvider;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

const LIFE: Duration = Duration::from_secs(600);

/// Containers of the memory platform, each with ten minutes to live.
#[derive(Debug, Default)]
struct Mortal {
    memory: MemoryProvider,
    /// By how much which one was asked to live on.
    extended: Mutex<Vec<(ContainerId, Duration)>>,
}

fn living(container: Container, life: Duration) -> Container {
    Container { expires_at: Some(Timestamp::now() + life), ..container }
}

#[async_trait]
impl ContainerProvider for Mortal {
    fn info(&self) -> ProviderInfo {
        let info = self.memory.info();
        let lifetime = Lifetime { default: Some(LIFE), max: None, extendable: true };
        ProviderInfo { capabilities: Capabilities { lifetime, ..info.capabilities }, ..info }
    }

    async fn probe(&self) -> Result<Probe> {
        self.memory.probe().await
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        Ok(living(self.memory.create(spec).await?, LIFE))
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        self.memory.inspect(id).await
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        self.memory.list(filter).await
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        self.memory.endpoint(id).await
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        self.memory.stop(id, options).await
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        self.memory.destroy(id, options).await
    }

    async fn extend(&self, id: &ContainerId, lifetime: Duration) -> Result<Container> {
        self.extended.lock().unwrap().push((id.clone(), lifetime));
        Ok(living(self.memory.inspect(id).await?, lifetime))
    }
}

/// On a clock that goes on whenever nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn a_container_in_use_is_extended_before_its_end_and_its_session_says_until_when() {
    let platform = Arc::new(Mortal::default());
    let sessions = Sessions::on(platform.clone()).unwrap();
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    let launch = Launch::new(&config, options, Owner::of(&Secret::new("key")));
    let session = sessions.launch(launch).await.unwrap();
    let begun = Instant::now();
    let first = session.info().state.expires_at.unwrap();
    session.state().wait_for(|state| state.expires_at > Some(first)).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited < LIFE && waited > LIFE / 2, "{waited:?}");
    let extended = platform.extended.lock().unwrap().clone();
    assert_eq!(extended.len(), 1, "{extended:?}");
    let (id, life) = &extended[0];
    assert_eq!(Some(id), session.info().state.container.as_ref());
    // As much as it had when its session took it on.
    assert!(*life <= LIFE && *life > LIFE / 2, "{life:?}");
    sessions.remove(session.id()).await.unwrap();
}
