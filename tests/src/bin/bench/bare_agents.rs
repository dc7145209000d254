//! Agent servers in this process with nothing before them: the floor of everything that a server does with many.

use std::collections::BTreeMap;

use agcluster_core::agent::AgentClient;
use agcluster_core::protocol::{
    AgentOptions, Configure, DriverKind, PromptBlock, Query, TOKEN_DIGEST_ENV, TurnId,
};
use agcluster_core::provider::{ContainerProvider, ContainerSpec, Labels};
use agcluster_providers::memory::MemoryProvider;
use anyhow::Result;
use futures::{StreamExt, TryStreamExt};

use super::inside::key;
use super::limits::{STEP, soon};

const GENERATION: u32 = 1;
const AT_ONCE: usize = 16;

/// An agent server with the scripted agent, and the number of its newest event.
pub(crate) struct BareAgent {
    pub(crate) client: AgentClient,
    pub(crate) last_seq: u64,
}

/// Makes so many.
///
/// # Errors
/// The first that fails.
pub(crate) async fn start(provider: &MemoryProvider, many: usize) -> Result<Vec<BareAgent>> {
    futures::stream::iter(0..many)
        .map(|nth| soon("an agent server's start", STEP, one(provider, format!("conv-bare-{nth}"))))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn one(provider: &MemoryProvider, session: String) -> Result<BareAgent> {
    let token = key().token(&session, GENERATION);
    let mut spec = ContainerSpec::new(Labels {
        cluster: "bare".to_owned(),
        session: session.clone(),
        agent: "agent-bench".to_owned(),
        generation: GENERATION,
        expires_at: None,
    });
    spec.env = BTreeMap::from([(TOKEN_DIGEST_ENV.to_owned(), token.digest())]);
    let container = provider.create(spec).await?.id;
    let client = AgentClient::new(&provider.endpoint(&container).await?, &token)?;
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
    Ok(BareAgent { client, last_seq })
}

impl BareAgent {
    /// Starts a turn.
    ///
    /// # Errors
    /// The agent server's.
    pub(crate) async fn ask(&self, prompt: &str) -> Result<()> {
        let prompt = vec![PromptBlock::text(prompt)];
        self.client.query(&Query { turn: TurnId::generate(), generation: GENERATION, prompt }).await?;
        Ok(())
    }
}
