//! Agent servers in this process with nothing before them: the floor of everything that a server does with many.

use std::collections::BTreeMap;

use agcluster_core::agent::{AgentClient, AgentToken};
use agcluster_core::protocol::{
    AgentOptions, Configure, DriverKind, PromptBlock, Query, TOKEN_DIGEST_ENV, TurnId, paths,
};
use agcluster_core::provider::{Address, ContainerProvider, ContainerSpec, Endpoint, Io, Labels};
use agcluster_providers::memory::MemoryProvider;
use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt};

use super::by_hand;
use super::inside::key;
use super::limits::{STEP, soon};

const GENERATION: u32 = 1;
const AT_ONCE: usize = 16;

/// An agent server with the scripted agent, and the number of its newest event.
pub(crate) struct BareAgent {
    pub(crate) client: AgentClient,
    pub(crate) last_seq: u64,
    endpoint: Endpoint,
    token: AgentToken,
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
    let endpoint = provider.endpoint(&container).await?;
    let client = AgentClient::new(&endpoint, &token)?;
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
    Ok(BareAgent { client, last_seq, endpoint, token })
}

impl BareAgent {
    /// Opens its stream of events by hand: what it takes on the agent server's side, and next to nothing on this one.
    ///
    /// # Errors
    /// When it does not begin.
    pub(crate) async fn listen(&self) -> Result<Box<dyn Io>> {
        let Address::Dial(dial) = &self.endpoint.address else { bail!("it cannot be dialled") };
        let mut stream = dial.dial().await?;
        let path = format!("{}?after={}", paths::EVENTS, self.last_seq);
        by_hand::get(&mut stream, &path, self.token.secret().expose()).await?;
        Ok(stream)
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
}
