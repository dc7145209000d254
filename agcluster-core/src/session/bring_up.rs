//! From a session that is written down to one that takes turns: the same way for a launch, a restart, a wake-up, and for
//! what another run of this program had begun.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use agcluster_protocol::{Configure, Configured, Health, Phase, TOKEN_DIGEST_ENV, TranscriptFile};

use super::lifecycle::changed;
use super::session_handle::Along;
use super::{
    LaunchFacts, LaunchTimings, Result, Session, SessionError, Status, approvals, lifetime, pump, repository,
};
use crate::agent::{AgentClient, wait_until_healthy};
use crate::journal::{Entry, Patience};
use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, ErrorKind, Labels, ListFilter,
};

/// How long an agent server may take to listen.
const HEALTHY: Duration = Duration::from_secs(60);
/// How often to ask the platform whether the container still runs while its agent server is waited for.
const STILL_RUNNING: Duration = Duration::from_secs(1);
/// The most of a conversation that is handed to a new container. Beyond it, only the present conversation's own file is.
const TRANSCRIPT: usize = 64 << 20;

/// Makes the container of the present generation and brings its agent up. Every step may be repeated.
pub(super) async fn bring_up(session: &Arc<Session>, mut warnings: Vec<String>) -> Result<()> {
    let begun = Instant::now();
    let elapsed = || u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let generation = session.state.borrow().generation;
    let container = session.placement.create(spec(session, generation)).await?;
    let provider = session.provider()?;
    let created_us = elapsed();
    let (id, expires_at) = (container.id.clone(), container.expires_at);
    session
        .change(Patience::Endless, |state| {
            state.container = Some(id);
            state.expires_at = expires_at;
            Ok(Along::default())
        })
        .await?;

    let client = client(session, provider.as_ref(), &container.id, generation).await?;
    let health = tokio::select! {
        health = wait_until_healthy(&client, HEALTHY) => health?,
        error = until_container_ends(provider.as_ref(), &container) => return Err(error),
    };
    let healthy_us = elapsed();
    repository::clone(session, &client, health.phase).await?;
    let configured = configured(session, &client, &health, generation).await?;
    // They are there from now on, whatever becomes of them.
    session.files.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let timings = LaunchTimings { created_us, healthy_us, ready_us: elapsed() };

    // The container before it may have said the same.
    for warning in &container.warnings {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    *session.facts.write().unwrap_or_else(PoisonError::into_inner) =
        Some(LaunchFacts { agent: configured.agent, warnings, timings });
    // What a restart or a wake-up has cost. The first container's time is in the answer to the launch.
    let again = (generation > FIRST_GENERATION)
        .then(|| format!("it goes on in a new container, which took {} ms", timings.ready_us / 1000));
    let running = changed(&Status::Running, again.as_deref());
    session
        .change(Patience::Endless, |state| {
            state.go(Status::Running)?;
            state.instance = Some(health.instance);
            if configured.conversation.is_some() {
                state.conversation = configured.conversation;
            }
            Ok(Along::entry(Entry::own(generation, None, running)))
        })
        .await?;
    session.touch();
    attach(session, &container, client, 0);
    session.start_next().await;
    Ok(())
}

/// Lets an agent server's events flow into the journal, and requests to it.
pub(super) fn attach(session: &Arc<Session>, container: &Container, client: AgentClient, cursor: u64) {
    let attachment = session.cancel.child_token();
    *session.attachment.lock().unwrap_or_else(PoisonError::into_inner) = attachment.clone();
    session.client.send_replace(Some(client.clone()));
    lifetime::keep(session, container, attachment.clone());
    approvals::keep(session, attachment.clone());
    pump::start(session, client, cursor, attachment);
}

/// Lets go of the present agent server. When it answers, nothing more of it comes into the journal.
pub(super) fn detach(session: &Session) -> impl Future<Output = tokio::sync::MutexGuard<'_, ()>> {
    session.attachment.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    session.client.send_replace(None);
    session.carrier.lock()
}

fn spec(session: &Session, generation: u32) -> ContainerSpec {
    let token = session.cluster.key.token(session.id.as_str(), generation);
    ContainerSpec {
        labels: Labels {
            cluster: session.cluster.name.clone(),
            session: session.id.to_string(),
            agent: session.agent_id.to_string(),
            generation,
            expires_at: None,
        },
        image: session.agent.image.clone(),
        env: BTreeMap::from([(TOKEN_DIGEST_ENV.to_owned(), token.digest())]),
        resources: session.agent.resources,
        lifetime: None,
    }
}

/// A client of the agent server in a container of this session.
pub(super) async fn client(
    session: &Session,
    provider: &dyn ContainerProvider,
    container: &ContainerId,
    generation: u32,
) -> Result<AgentClient> {
    let token = session.cluster.key.token(session.id.as_str(), generation);
    let endpoint = provider.endpoint(container).await?;
    Ok(AgentClient::new(&endpoint, &token)?)
}

/// Gives the agent server its session, unless it has it already.
async fn configured(
    session: &Session,
    client: &AgentClient,
    health: &Health,
    generation: u32,
) -> Result<Configured> {
    if health.phase == Phase::Ready {
        let liveness = client.liveness().await?;
        if let Some(configured) = liveness.configured.filter(|_| liveness.generation == Some(generation)) {
            return Ok(configured);
        }
    }
    if let Some(missing) = session.missing_credentials() {
        return Err(SessionError::CredentialsRequired(missing));
    }
    let credentials = session.credentials.borrow().clone();
    let conversation = session.state.borrow().conversation.clone();
    let transcript = match &conversation {
        Some(conversation) => transcript(session, conversation).await?,
        None => Vec::new(),
    };
    // A conversation in which nothing was said yet is known to nobody.
    let resume = conversation.filter(|_| !transcript.is_empty());
    let configure = Configure {
        session: session.id.to_string(),
        generation,
        driver: session.agent.driver,
        model_access: credentials.model_access(session.model_base_url.as_deref()),
        options: credentials.options.unwrap_or_else(|| session.agent.options.clone()),
        resume,
        transcript,
        files: session.files(),
        acknowledges: true,
    };
    Ok(client.configure(&configure).await?)
}

/// The conversation so far, as the vendor's program wrote it down.
async fn transcript(session: &Session, conversation: &str) -> Result<Vec<TranscriptFile>> {
    let chunks = session.journal.store().transcript(&session.id).await?;
    let size = |entries: &[serde_json::Value]| -> usize {
        entries.iter().map(|entry| entry.to_string().len()).sum()
    };
    let all: usize = chunks.iter().map(|chunk| size(&chunk.entries)).sum();
    let files = chunks.into_iter().map(|chunk| TranscriptFile { path: chunk.path, entries: chunk.entries });
    Ok(files.filter(|file| all <= TRANSCRIPT || file.path.contains(conversation)).collect())
}

/// Ends only when the platform says that the container no longer runs.
async fn until_container_ends(provider: &dyn ContainerProvider, container: &Container) -> SessionError {
    loop {
        tokio::time::sleep(STILL_RUNNING).await;
        match provider.inspect(&container.id).await {
            Ok(container) => {
                if let Some(reason) = pump::end_of(&container) {
                    return SessionError::ContainerEnded { reason: Some(reason) };
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return SessionError::ContainerEnded { reason: Some(pump::GONE.to_owned()) };
            }
            Err(_) => {}
        }
    }
}

/// Removes whatever the platform has of a session, of all its generations.
pub(super) async fn destroy_all(session: &Session, options: DestroyOptions) -> Result<()> {
    let (known, generation) = {
        let state = session.state.borrow();
        (state.container.clone(), state.generation)
    };
    session.placement.remove(known.as_ref(), of(session), generation > FIRST_GENERATION, options).await
}

/// The generation of a session's first container.
pub(super) const FIRST_GENERATION: u32 = 1;

/// Everything of one session.
fn of(session: &Session) -> ListFilter {
    ListFilter { cluster: Some(session.cluster.name.clone()), session: Some(session.id.to_string()) }
}
