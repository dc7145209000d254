//! The trait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions,
    Endpoint, Error, ErrorKind, Isolation, LABEL_CLUSTER, LABEL_SESSION, Lifetime, Limits, ListFilter, Probe,
    ProviderInfo, Result, Start, StopOptions,
};
use async_trait::async_trait;
use tokio::time::Instant;

use super::api::{Api, Failure, PROTOCOL, Seen, SeenState};
use super::config::CloudflareConfig;
use super::error::explain;
use super::{AGENT_PORT, PLATFORM, order, view};
use crate::name::Name;

/// Containers at Cloudflare, through the gateway Worker that the configuration names.
///
/// Cheap to clone; clones share one connection pool. Made without contacting the gateway.
#[derive(Debug, Clone)]
pub struct CloudflareProvider {
    config: Arc<CloudflareConfig>,
    api: Arc<Api>,
    /// Whether images can be chosen, as the gateway last said.
    selectable: Arc<Mutex<bool>>,
}

/// The longest that a container may take to end when it is asked.
const LONGEST_GRACE: Duration = Duration::from_secs(15 * 60);
/// The gateway ends a container at the end of its grace; then this long may pass until that is seen.
const AFTER_GRACE: Duration = Duration::from_secs(60);
/// Between two looks at a container that is ending.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The policy under which image and size can be chosen.
const SELECTABLE: &str = "durable_object";

impl CloudflareProvider {
    /// A provider for the gateway that the configuration names.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the field for a configuration that cannot work.
    pub fn new(config: CloudflareConfig) -> Result<Self> {
        config.validate()?;
        let api = Api::new(&config.credentials()?, config.timeouts).map_err(|reason| {
            agcluster_core::provider::invalid_field(PLATFORM, "the configuration", &reason)
        })?;
        Ok(Self { config: Arc::new(config), api: Arc::new(api), selectable: Arc::default() })
    }

    fn explain(&self, failure: Failure, operation: &'static str, about: Option<&str>) -> Error {
        explain(failure, operation, self.api.url(), about)
    }

    fn view(&self, seen: &Seen, warnings: Vec<String>, operation: &'static str) -> Result<Container> {
        view::container(seen, warnings).ok_or_else(|| no_container(&seen.id, operation))
    }

    async fn seen(&self, id: &ContainerId, operation: &'static str) -> Result<Seen> {
        let name = container_of(id, operation)?;
        let seen = self.api.inspect(name).await;
        seen.map_err(|failure| self.explain(failure, operation, Some(name)))
    }

    fn ready(&self) -> Duration {
        Duration::from_secs(self.config.ready_seconds)
    }
}

/// The container an id stands for; [`ErrorKind::NotFound`] for anything else. No disk outlives its container here, so nothing
/// remains of one either.
fn container_of<'a>(id: &'a ContainerId, operation: &'static str) -> Result<&'a str> {
    match Name::of(id) {
        Some(Name::Container(name)) => Ok(name),
        _ => Err(no_container(&id.0, operation)),
    }
}

fn no_container(id: &str, operation: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, PLATFORM, operation, format!("there is no container {id}"))
}

#[async_trait]
impl ContainerProvider for CloudflareProvider {
    fn info(&self) -> ProviderInfo {
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                // A container is as large as its instance type, whatever is asked for.
                limits: Limits::default(),
                lifetime: Lifetime {
                    default: Some(Duration::from_secs(self.config.lifetime_seconds)),
                    max: Some(Duration::from_secs(self.config.max_lifetime_seconds)),
                    extendable: true,
                },
                custom_image: *self.selectable.lock().unwrap_or_else(PoisonError::into_inner),
                start: Some(Start { keeps_workspace: false }),
                ..Capabilities::required(Isolation::VirtualMachine)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let health = self.api.health().await.map_err(|failure| self.explain(failure, "probe", None))?;
        let error = |message: String| Err(Error::new(ErrorKind::Precondition, PLATFORM, "probe", message));
        if health.gateway != "agcluster" || health.protocol != PROTOCOL {
            return error(format!(
                "the gateway speaks protocol {} and this program {PROTOCOL}: deploy the gateway of this version with `wrangler deploy`",
                health.protocol
            ));
        }
        if !health.features.containers {
            return error(
                "the gateway was deployed without containers: deploy it with the containers section of its wrangler.jsonc, on Workers Paid"
                    .to_owned(),
            );
        }
        let selectable = health.scheduling_policy == SELECTABLE;
        *self.selectable.lock().unwrap_or_else(PoisonError::into_inner) = selectable;
        let mut warnings = Vec::new();
        if !selectable {
            warnings.push(
                "a deployment of the gateway replaces running containers: its scheduling policy is default"
                    .to_owned(),
            );
            if self.config.image.is_some() || self.config.instance.is_some() {
                warnings.push(
                    "image and instance are set and cannot be chosen: leave them out, or deploy the gateway with scheduling_policy durable_object"
                        .to_owned(),
                );
            }
        }
        Ok(Probe { version: Some(format!("gateway {}", health.version)), warnings })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let name = spec.labels.container_name();
        let (order, warnings) = order::order(&self.config, spec);
        let seen = self.api.create(&name, &order, self.ready()).await;
        let seen = seen.map_err(|failure| self.explain(failure, "create", Some(&name)))?;
        self.view(&seen, warnings, "create")
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        let seen = self.seen(id, "inspect").await?;
        self.view(&seen, Vec::new(), "inspect")
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let mut labels = Vec::new();
        labels.extend(filter.cluster.iter().map(|cluster| format!("{LABEL_CLUSTER}={cluster}")));
        labels.extend(filter.session.iter().map(|session| format!("{LABEL_SESSION}={session}")));
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = self.api.list(&labels, cursor.as_deref()).await;
            let page = page.map_err(|failure| self.explain(failure, "list", None))?;
            found.extend(page.containers.iter().filter_map(|seen| view::container(seen, Vec::new())));
            // Pages go up by id; one that does not would go on without end.
            cursor = match page.cursor {
                Some(next) if cursor.is_none_or(|last| last < next) => Some(next),
                _ => break,
            };
        }
        found.retain(|container| filter.matches(&container.labels));
        Ok(found)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let seen = self.seen(id, "endpoint").await?;
        if !matches!(seen.state, SeenState::Starting | SeenState::Running) {
            let message = "the container does not run: start it, or make another one";
            return Err(Error::new(ErrorKind::Gone, PLATFORM, "endpoint", message));
        }
        let way = self.api.way(&seen.id, AGENT_PORT, seen.generation);
        let (url, headers) = way.map_err(|failure| self.explain(failure, "endpoint", Some(&id.0)))?;
        Ok(Endpoint { address: Address::Http(url), headers, expires_at: None })
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        let name = container_of(id, "stop")?;
        let grace = options.grace.min(LONGEST_GRACE);
        let deadline = Instant::now() + grace + AFTER_GRACE;
        loop {
            // Each call waits in the gateway for as long as it may.
            let seen = self.api.stop(name, grace).await;
            let seen = seen.map_err(|failure| self.explain(failure, "stop", Some(name)))?;
            if seen.state == SeenState::Stopped {
                return Ok(());
            }
            // Should it answer at once, it is not to be asked without a pause.
            tokio::time::sleep(LOOK_AGAIN).await;
            if Instant::now() >= deadline {
                let message = "the container has not ended though its grace is over: destroy it";
                return Err(Error::new(ErrorKind::Timeout, PLATFORM, "stop", message));
            }
        }
    }

    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        let Ok(name) = container_of(id, "destroy") else { return Ok(()) };
        match self.api.destroy(name).await {
            Err(failure) if failure.is("not_found") => Ok(()),
            done => done.map_err(|failure| self.explain(failure, "destroy", Some(name))),
        }
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        let name = container_of(id, "start")?;
        let seen = self.api.start(name, self.ready()).await;
        let seen = seen.map_err(|failure| self.explain(failure, "start", Some(name)))?;
        self.view(&seen, Vec::new(), "start")
    }

    async fn extend(&self, id: &ContainerId, lifetime: Duration) -> Result<Container> {
        let name = container_of(id, "extend")?;
        let longest = Duration::from_secs(self.config.max_lifetime_seconds);
        if lifetime > longest {
            let message = format!(
                "a container lives for {} s at most: ask for less, or raise max_lifetime_seconds",
                longest.as_secs()
            );
            return Err(Error::new(ErrorKind::Invalid, PLATFORM, "extend", message));
        }
        let seen = self.api.extend(name, order::later(lifetime)).await;
        let seen = seen.map_err(|failure| self.explain(failure, "extend", Some(name)))?;
        self.view(&seen, Vec::new(), "extend")
    }
}
