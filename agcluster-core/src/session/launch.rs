//! From a request to a session that takes turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agcluster_protocol::{AgentOptions, Configure, DriverKind, EventBody, ModelAccess, TOKEN_DIGEST_ENV};
use serde::Serialize;

use super::session_handle::LaunchFacts;
use super::{Owner, Result, Session, SessionError, Status, lifetime, pump};
use crate::agent::{AgentClient, TokenKey, wait_until_healthy};
use crate::config::{AgentConfig, LaunchOptions};
use crate::journal::Entry;
use crate::provider::{Container, ContainerSpec, ContainerState, ErrorKind, Labels, Resources};

/// The generation of a session's first container.
const FIRST_GENERATION: u32 = 1;
/// How long an agent server may take to listen.
const HEALTHY: Duration = Duration::from_secs(60);
/// How often to ask the platform whether the container still runs while its agent server is waited for.
const STILL_RUNNING: Duration = Duration::from_secs(1);

/// A session to launch.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The name of the configuration, for showing.
    pub config_id: String,
    /// What to run.
    pub agent: AgentSpec,
    /// Whose it is.
    pub owner: Owner,
    /// Which provider, or several to be asked in this order until one has room; the default when empty.
    pub providers: Vec<String>,
    /// How the agent reaches its model; none for an agent that calls no model.
    pub model_access: Option<ModelAccess>,
    /// What to tell whoever launched it, besides what the provider has to say.
    pub warnings: Vec<String>,
}

impl Launch {
    /// A launch of a configuration on the default provider, for an agent that calls no model. Change the fields for
    /// more.
    pub fn new(config: &AgentConfig, launch: LaunchOptions, owner: Owner) -> Self {
        Self {
            config_id: config.id.clone(),
            agent: AgentSpec {
                driver: config.driver,
                options: launch.options,
                resources: config.resources(),
                image: config.image.clone(),
            },
            owner,
            providers: Vec::new(),
            model_access: None,
            warnings: launch.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What to run and in what.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// Which driver.
    pub driver: DriverKind,
    /// How the agent shall behave.
    pub options: AgentOptions,
    /// The container's limits.
    pub resources: Resources,
    /// The image; the provider's default when absent.
    pub image: Option<String>,
}

/// How long the steps of a launch took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaunchTimings {
    /// Until the platform said that the container runs, in microseconds.
    pub created_us: u64,
    /// Until the agent server answered, in microseconds.
    pub healthy_us: u64,
    /// Until the agent program was ready, in microseconds.
    pub ready_us: u64,
}

/// Makes the container of a session and brings its agent up. After an error nothing is left of it.
pub(super) async fn run(session: &Arc<Session>, launch: Launch, cluster: &str, key: &TokenKey) -> Result<()> {
    let _lifecycle = session.lifecycle.lock().await;
    let result = tokio::select! {
        biased;
        () = session.cancel.cancelled() => Err(SessionError::Removed),
        result = steps(session, launch, cluster, key) => result,
    };
    if let Err(error) = &result {
        tracing::info!(session = %session.id, %error, "a launch failed");
        if let Err(error) = destroy_all(session).await {
            tracing::warn!(session = %session.id, %error, "a failed launch could not be cleaned up yet");
        }
    }
    result
}

async fn steps(session: &Arc<Session>, launch: Launch, cluster: &str, key: &TokenKey) -> Result<()> {
    let begun = Instant::now();
    let elapsed = || u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let token = key.token(session.id.as_str(), FIRST_GENERATION);
    let spec = ContainerSpec {
        labels: Labels {
            cluster: cluster.to_owned(),
            session: session.id.to_string(),
            agent: session.agent_id.to_string(),
            generation: FIRST_GENERATION,
            expires_at: None,
        },
        image: launch.agent.image,
        env: BTreeMap::from([(TOKEN_DIGEST_ENV.to_owned(), token.digest())]),
        resources: launch.agent.resources,
        lifetime: None,
    };
    let container = session.placement.create(spec).await?;
    let created_us = elapsed();
    session.state.send_modify(|state| {
        state.container = Some(container.id.clone());
        state.expires_at = container.expires_at;
        state.generation = FIRST_GENERATION;
    });

    let endpoint = session.placement.provider().endpoint(&container.id).await?;
    let client = AgentClient::new(&endpoint, &token)?;
    tokio::select! {
        health = wait_until_healthy(&client, HEALTHY) => { health?; }
        error = until_container_ends(session, &container) => return Err(error),
    }
    let healthy_us = elapsed();

    let configured = client
        .configure(&Configure {
            session: session.id.to_string(),
            generation: FIRST_GENERATION,
            driver: launch.agent.driver,
            options: launch.agent.options,
            model_access: launch.model_access,
            resume: None,
        })
        .await?;
    let ready_us = elapsed();

    lifetime::keep(session, &container);
    let mut warnings = launch.warnings;
    warnings.extend(container.warnings);
    let timings = LaunchTimings { created_us, healthy_us, ready_us };
    let _ = session.facts.set(LaunchFacts { agent: configured.agent, warnings, timings });
    let _ = session.agent.set(client.clone());
    let running = EventBody::SessionChanged { status: Status::Running.as_str().to_owned(), reason: None };
    session.journal.append(&session.id, vec![Entry::own(FIRST_GENERATION, None, running)]).await?;
    session.state.send_modify(|state| {
        state.conversation = configured.conversation;
        state.go(Status::Running);
    });
    session.touch();
    tokio::spawn(pump::run(Arc::clone(session), client));
    Ok(())
}

/// Ends only when the platform says that the container no longer runs.
async fn until_container_ends(session: &Session, container: &Container) -> SessionError {
    loop {
        tokio::time::sleep(STILL_RUNNING).await;
        match session.placement.provider().inspect(&container.id).await {
            Ok(Container { state: ContainerState::Stopped { reason, exit_code }, .. }) => {
                let reason = reason.or_else(|| exit_code.map(|code| format!("exit code {code}")));
                return SessionError::ContainerEnded { reason };
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return SessionError::ContainerEnded { reason: Some("it is gone".to_owned()) };
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// Removes whatever the platform has of a session.
pub(super) async fn destroy_all(session: &Session) -> Result<()> {
    let known = session.state.borrow().container.clone();
    Ok(session.placement.remove(known.as_ref(), session.id.as_str()).await?)
}
