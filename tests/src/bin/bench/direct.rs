//! An agent server that is read without AgCluster before it: the floor of the relay.

use std::collections::BTreeMap;
use std::time::Duration;

use agcluster_core::agent::{AgentClient, TokenKey, wait_until_healthy};
use agcluster_core::protocol::{
    AgentOptions, Configure, DriverKind, Event, PromptBlock, Query, TOKEN_DIGEST_ENV, TurnId,
};
use agcluster_core::provider::{ContainerId, ContainerSpec, DestroyOptions, Labels};
use anyhow::Result;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::limits::{STEP, soon};
use super::stage::Stage;

const GENERATION: u32 = 1;
const HEALTHY: Duration = Duration::from_secs(60);

/// An agent server with the scripted agent, made by the provider as a session's is.
pub(crate) struct Direct {
    container: ContainerId,
    client: AgentClient,
    last_seq: u64,
}

impl Direct {
    /// Makes one.
    ///
    /// # Errors
    /// The provider's or the agent server's.
    pub(crate) async fn start(stage: &Stage) -> Result<Self> {
        let session = format!("conv-{}", uuid::Uuid::new_v4());
        let token = TokenKey::random()?.token(&session, GENERATION);
        let mut spec = ContainerSpec::new(Labels {
            cluster: stage.own_cluster.clone(),
            session: session.clone(),
            agent: "agent-bench".to_owned(),
            generation: GENERATION,
            expires_at: None,
        });
        spec.env = BTreeMap::from([(TOKEN_DIGEST_ENV.to_owned(), token.digest())]);
        let started = async {
            let container = stage.provider.create(spec).await?.id;
            let client = AgentClient::new(&stage.provider.endpoint(&container).await?, &token)?;
            wait_until_healthy(&client, HEALTHY).await?;
            let configure = Configure {
                session,
                generation: GENERATION,
                driver: DriverKind::Scripted,
                options: AgentOptions::default(),
                model_access: None,
                resume: None,
                transcript: Vec::new(),
                files: std::collections::BTreeMap::new(),
                acknowledges: false,
            };
            let last_seq = client.configure(&configure).await?.last_seq;
            Ok(Self { container, client, last_seq })
        };
        soon("an agent server's start", STEP, started).await
    }

    /// Its events from now on.
    ///
    /// # Errors
    /// The agent server's.
    pub(crate) async fn events(&self) -> Result<BoxStream<'static, Result<Event>>> {
        Ok(self.client.events(self.last_seq).await?.map_err(anyhow::Error::from).boxed())
    }

    /// Starts a turn.
    ///
    /// # Errors
    /// The agent server's.
    pub(crate) async fn ask(&self, prompt: &str) -> Result<()> {
        let prompt = vec![PromptBlock::text(prompt)];
        self.client.query(&Query { turn: TurnId::generate(), generation: GENERATION, prompt }).await?;
        Ok(())
    }

    /// Destroys it.
    ///
    /// # Errors
    /// The provider's.
    pub(crate) async fn destroy(self, stage: &Stage) -> Result<()> {
        Ok(stage.provider.destroy(&self.container, DestroyOptions::default()).await?)
    }
}
