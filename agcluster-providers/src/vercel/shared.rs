//! What all verbs work with.

use std::future::Future;

use agcluster_core::provider::{ContainerId, Error, ErrorKind, Result};

use super::agent::{AgentProgram, NotStarted};
use super::api::{Api, Failure, NetworkBody, Seen, Subnets};
use super::config::{NetworkMode, VercelConfig};
use super::credentials::Credentials;
use super::error::{About, explain, no_container, plain};
use super::wait;
use crate::name::Name;

/// What all verbs work with.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: VercelConfig,
    pub(super) api: Api,
    pub(super) agent: AgentProgram,
}

const MILLIS_OF_A_DAY: u64 = 24 * 3600 * 1000;

impl Shared {
    pub(super) fn new(config: VercelConfig) -> Result<Self> {
        config.validate()?;
        let api = Api::new(&config, Credentials::of(&config)?)?;
        let agent = AgentProgram::new(config.agent_program.clone(), config.agent_binary.clone());
        Ok(Self { config, api, agent })
    }

    pub(super) fn explain(&self, failure: Failure, operation: &'static str, about: About<'_>) -> Error {
        explain(failure, operation, about, &self.api.credentials)
    }

    /// Why the agent server was not started.
    pub(super) fn not_started(&self, why: NotStarted, operation: &'static str) -> Error {
        match why {
            NotStarted::Failure(failure) => self.explain(failure, operation, About::Project),
            NotStarted::Unreadable(path, source) => {
                let message = format!(
                    "the agent server {} cannot be read: set agent_binary to the path that `cargo xtask agent` prints",
                    path.display()
                );
                plain(ErrorKind::Precondition, operation, message).with_source(source)
            }
        }
    }

    /// A container as Vercel sees it.
    pub(super) async fn seen(&self, id: &ContainerId, operation: &'static str) -> Result<Seen> {
        let name = container_of(id, operation)?;
        let found = self.api.get(name).await;
        found.map_err(|failure| self.explain(failure, operation, About::Container(name)))
    }

    /// The same, refused unless it runs.
    pub(super) async fn running(&self, id: &ContainerId, operation: &'static str) -> Result<Seen> {
        let seen = self.seen(id, operation).await?;
        wait::running(&seen, operation)?;
        Ok(seen)
    }

    /// A new session of a sandbox that stands still, once it runs.
    pub(super) async fn resumed(&self, name: &str) -> Result<Seen, Failure> {
        let mut patience = wait::Patience::new(&self.api);
        let resumed = loop {
            let answer = self.api.resume(name).await;
            if !patience.again(&answer).await {
                break answer;
            }
        };
        let mut seen = resumed?;
        seen.session = wait::until_up(&self.api, seen.session).await?;
        Ok(seen)
    }

    /// The configured network policy; nothing for Vercel's own default, which is everything.
    pub(super) fn network_policy(&self) -> Option<NetworkBody> {
        let network = &self.config.network;
        match network.mode {
            NetworkMode::AllowAll => None,
            NetworkMode::DenyAll => Some(NetworkBody::Mode { mode: "deny-all" }),
            NetworkMode::Custom => Some(NetworkBody::Custom {
                allow: network.allow.clone(),
                subnets: Subnets { allow: network.allow_subnets.clone(), deny: network.deny_subnets.clone() },
            }),
        }
    }

    pub(super) fn snapshot_expiration_ms(&self) -> u64 {
        u64::from(self.config.snapshot_expiration_days) * MILLIS_OF_A_DAY
    }
}

/// The sandbox an id stands for; [`ErrorKind::NotFound`] for what cannot be ours.
pub(super) fn container_of<'a>(id: &'a ContainerId, operation: &'static str) -> Result<&'a str> {
    match Name::of(id) {
        Some(Name::Container(name)) => Ok(name),
        _ => Err(no_container(id, operation)),
    }
}

/// In a task of its own: what has begun is finished, also when the caller goes away.
pub(super) async fn to_the_end<T: Send + 'static>(
    operation: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(_) => Err(plain(ErrorKind::Unavailable, operation, "the call broke off: try again")),
    }
}
