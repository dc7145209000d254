//! What a case works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agcluster_protocol::{Health, Secret, TOKEN_DIGEST_ENV};

use super::Failed;
use super::case::check;
use crate::agent::{AgentClient, AgentToken, TokenKey, wait_until_healthy};
use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Labels, ListFilter,
};

/// What a case works with: the provider under test, and containers of the case's own.
#[derive(Debug, Clone)]
pub struct Context {
    provider: Arc<dyn ContainerProvider>,
    successor: Option<Arc<dyn ContainerProvider>>,
    cluster: String,
    image: Option<String>,
    patience: Duration,
    concurrency: usize,
    key: Arc<TokenKey>,
    sessions: Arc<AtomicU32>,
}

impl Context {
    /// Puts a provider to the test. `run` must be unique to this run, short, and of letters, digits and `-`: containers are
    /// labelled with clusters that begin with it.
    pub fn new(provider: Arc<dyn ContainerProvider>, run: impl Into<String>) -> Self {
        let cluster = run.into();
        let key = TokenKey::from_secret(&Secret::new(cluster.clone()));
        Self {
            provider,
            successor: None,
            cluster,
            image: None,
            patience: Duration::from_secs(60),
            concurrency: 4,
            key: Arc::new(key),
            sessions: Arc::default(),
        }
    }

    /// A second provider over the same platform, as a control plane would have after a crash.
    #[must_use]
    pub fn with_successor(mut self, successor: Arc<dyn ContainerProvider>) -> Self {
        self.successor = Some(successor);
        self
    }

    /// The image of all containers, in place of the provider's default.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// How long an agent server may take to answer after its container was made; a minute if not said.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many cases run at a time; four if not said.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// The provider under test.
    pub fn provider(&self) -> &dyn ContainerProvider {
        &*self.provider
    }

    /// The second provider over the same platform.
    pub fn successor(&self) -> Option<&dyn ContainerProvider> {
        self.successor.as_deref()
    }

    /// The label that all containers of this case have.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// How long an agent server may take to answer.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// The same for one case, with a cluster of its own.
    pub(super) fn for_case(&self, number: usize) -> Self {
        Self { cluster: format!("{}-{number}", self.cluster), sessions: Arc::default(), ..self.clone() }
    }

    /// A container of a new session: generation 1, and an agent server that takes [`token`](Self::token).
    pub fn new_session(&self) -> ContainerSpec {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        self.spec(Labels {
            cluster: self.cluster.clone(),
            session: format!("{}-s{number}", self.cluster),
            agent: "agent-conformance".to_owned(),
            generation: 1,
            expires_at: None,
        })
    }

    /// The same session's next container.
    pub fn next_generation(&self, spec: &ContainerSpec) -> ContainerSpec {
        self.spec(Labels { generation: spec.labels.generation + 1, ..spec.labels.clone() })
    }

    fn spec(&self, labels: Labels) -> ContainerSpec {
        let mut spec = ContainerSpec::new(labels);
        spec.image.clone_from(&self.image);
        spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), self.token(&spec).digest());
        spec
    }

    /// The token that the agent server of this container takes.
    pub fn token(&self, spec: &ContainerSpec) -> AgentToken {
        self.key.token(&spec.labels.session, spec.labels.generation)
    }

    /// A client of a container's agent server.
    ///
    /// # Errors
    /// When the provider gives no endpoint.
    pub async fn client(&self, spec: &ContainerSpec, id: &ContainerId) -> Result<AgentClient, Failed> {
        let endpoint = self.provider.endpoint(id).await?;
        Ok(AgentClient::new(&endpoint, &self.token(spec))?)
    }

    /// Waits until a container's agent server answers.
    ///
    /// # Errors
    /// When it does not within [`patience`](Self::patience).
    pub async fn healthy(&self, spec: &ContainerSpec, id: &ContainerId) -> Result<Health, Failed> {
        let client = self.client(spec, id).await?;
        Ok(wait_until_healthy(&client, self.patience).await?)
    }

    /// Makes a container and waits until its agent server answers.
    ///
    /// # Errors
    /// When either fails.
    pub async fn running(&self, spec: &ContainerSpec) -> Result<Container, Failed> {
        let container = self.provider.create(spec.clone()).await?;
        self.healthy(spec, &container.id).await?;
        Ok(container)
    }

    /// Everything of this case.
    ///
    /// # Errors
    /// The provider's.
    pub async fn listed(&self) -> Result<Vec<Container>, Failed> {
        Ok(self.provider.list(ListFilter::cluster(&self.cluster)).await?)
    }

    /// Removes everything of this case.
    ///
    /// # Errors
    /// When something stays.
    pub async fn clean_up(&self) -> Result<(), Failed> {
        for container in self.listed().await? {
            self.provider.destroy(&container.id, DestroyOptions::default()).await?;
        }
        let left = self.listed().await?;
        check(left.is_empty(), format!("after everything was destroyed there still is {left:?}"))
    }
}
