//! Making a container: as few calls as possible, and each of them repeatable.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::provider::{Container, ContainerSpec, Error, ErrorKind, Labels, Result};
use tokio::time::{Instant, MissedTickBehavior};

use super::api::{ContainerPlan, Created, Failure, Injected, Published, Seen, SeenState};
use super::config::DockerConfig;
use super::connection::{Connection, Engine};
use super::error::{About, explain, no_image};
use super::image::Image;
use super::inject::NotInjected;
use super::limits::Limits;
use super::{PLATFORM, view};
use crate::name;

/// How often what a container relies on may turn out to be gone or changed, and be mended.
const REPAIRS: usize = 2;
/// The pause between two looks at a name that another call is taking or giving up; the engine tells nobody when it is done.
const PAUSE: Duration = Duration::from_millis(20);

/// One call of `create`.
pub(super) struct Creation<'a> {
    pub(super) config: &'a DockerConfig,
    pub(super) engine: &'a Engine,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) spec: &'a ContainerSpec,
}

/// What one attempt came to.
enum Attempt {
    Done(Box<Seen>),
    /// Something was mended, and the next attempt should do. If none does, this is the error.
    Mended(Error),
    /// Another call is making or removing the container at this moment.
    Busy,
}

impl Creation<'_> {
    /// Makes the container, or adopts the one that is there.
    pub(super) async fn run(&self) -> Result<Container> {
        let mut limits =
            Limits::new(self.spec.resources, &self.config.limits, self.connection.api.facts.limits)?;
        let deadline = Instant::now() + self.config.timeouts.change();
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut repairs = 0;
        while Instant::now() < deadline {
            pause.tick().await;
            match self.attempt(&limits).await? {
                Attempt::Done(seen) => {
                    limits.warnings.extend(self.connection.network.warning(&self.connection.api));
                    let foreign =
                        || self.error_of(ErrorKind::Protocol, "the engine lost the container's labels");
                    return view::container(&seen, limits.warnings).ok_or_else(foreign);
                }
                Attempt::Mended(error) if repairs == REPAIRS => return Err(error),
                Attempt::Mended(_) => repairs += 1,
                Attempt::Busy => {}
            }
        }
        Err(self.error_of(ErrorKind::Timeout, "another call kept changing this container: try again"))
    }

    async fn attempt(&self, limits: &Limits) -> Result<Attempt> {
        let Connection { api, images, network, .. } = &**self.connection;
        let volume = name::workspace(&self.spec.labels);
        let (image, _, workspace) =
            tokio::try_join!(images.get(api, self.image()), network.ensure(api), api.volume(&volume))
                .map_err(|failure| self.explain(failure))?;
        let Some(image) = image else {
            return Err(self.error_of(ErrorKind::Precondition, no_image(self.image())));
        };
        let is_new = workspace.is_none();
        if let Some(workspace) = workspace {
            self.check_owner(view::labels(&workspace.labels).as_ref(), "workspace")?;
        }
        let injected = if image.has_agent { None } else { Some(self.inject().await?) };
        let plan = self.plan(limits, volume, injected);
        let name = self.name();
        if is_new && api.facts.podman {
            // It makes volumes together with containers as well, but without their labels.
            let made = api.create_volume(&plan.workspace_volume, &plan.labels).await;
            made.map_err(|failure| self.explain(failure))?;
        }
        match api.create(&name, &plan).await {
            Ok(Created::NameTaken) => return self.adopt().await,
            Ok(Created::New) => {}
            Err(failure) => {
                images.forget(self.image());
                return Err(self.explain(failure));
            }
        }
        if let Err(failure) = api.start(&name).await {
            self.clean_up(&plan, is_new).await;
            return self.repair(failure, &plan).await;
        }
        let finished = match api.inspect(&name).await {
            Ok(seen) => self.check_image(&image, seen).await,
            Err(failure) => Err(self.explain(failure)),
        };
        if !matches!(finished, Ok(Attempt::Done(_))) {
            self.clean_up(&plan, is_new).await;
        }
        finished
    }

    /// Takes over the container that has the name, if it is this session's.
    async fn adopt(&self) -> Result<Attempt> {
        let api = &self.connection.api;
        let name = self.name();
        let again = |done: Result<(), Failure>| match done {
            Err(failure) if failure.is_not_found() => Ok(Attempt::Busy),
            Err(failure) => Err(self.explain(failure)),
            Ok(()) => Ok(Attempt::Busy),
        };
        let seen = match api.inspect(&name).await {
            Ok(seen) => seen,
            Err(failure) => return again(Err(failure)),
        };
        let labels = view::labels(&seen.labels);
        self.check_owner(labels.as_ref(), "container")?;
        if labels.is_none_or(|labels| labels.generation != self.spec.labels.generation) {
            return Err(self.taken("container"));
        }
        match seen.state {
            SeenState::Running | SeenState::Restarting => return Ok(Attempt::Done(Box::new(seen))),
            SeenState::Removing => {
                return again(api.wait_until_removed(&name, self.config.timeouts.change()).await);
            }
            SeenState::Paused => {
                if let Err(failure) = api.unpause(&name).await {
                    return again(Err(failure));
                }
            }
            SeenState::Created | SeenState::Exited { .. } => {
                if let Err(failure) = api.start(&name).await {
                    return again(Err(failure));
                }
            }
        }
        match api.inspect(&name).await {
            Ok(seen) => Ok(Attempt::Done(Box::new(seen))),
            Err(failure) => again(Err(failure)),
        }
    }

    /// After a start that failed: mends what can be mended, or gives the error.
    async fn repair(&self, failure: Failure, plan: &ContainerPlan) -> Result<Attempt> {
        if failure.is_not_found() && failure.says(404, "network") {
            self.connection.network.forget();
            return Ok(Attempt::Mended(self.explain(failure)));
        }
        let is_program_missing =
            matches!(&failure, Failure::Refused { message, .. } if message.contains("no such file"));
        if plan.injected.is_some() && is_program_missing {
            // The shared volume was pruned, and the engine made an empty one in its place.
            self.connection.injection.forget().await;
            return Ok(Attempt::Mended(self.explain(failure)));
        }
        Err(self.explain(failure))
    }

    /// Removes what a failed attempt made. A failure here is not the one to tell of; what stays is found by `list`.
    async fn clean_up(&self, plan: &ContainerPlan, is_volume_new: bool) {
        let api = &self.connection.api;
        let mut done = api.remove(&self.name()).await;
        if done.is_ok() && is_volume_new {
            done = api.remove_volume(&plan.workspace_volume).await;
        }
        if let Err(failure) = done {
            tracing::warn!(container = self.name(), %failure, "a container that could not start was not cleaned up");
        }
    }

    /// Looks whether the image's name means another image by now, one that needs another kind of container.
    async fn check_image(&self, image: &Image, seen: Seen) -> Result<Attempt> {
        if seen.image_id == image.id {
            return Ok(Attempt::Done(Box::new(seen)));
        }
        let Connection { api, images, .. } = &**self.connection;
        images.forget(self.image());
        let now = images.get(api, self.image()).await.map_err(|failure| self.explain(failure))?;
        if now.is_none_or(|now| now.has_agent == image.has_agent) {
            return Ok(Attempt::Done(Box::new(seen)));
        }
        let message = format!("the image {} kept being replaced: try again", self.image());
        Ok(Attempt::Mended(self.error_of(ErrorKind::Unavailable, message)))
    }

    async fn inject(&self) -> Result<Injected> {
        let Connection { api, injection, .. } = &**self.connection;
        match injection.ensure(api, self.image()).await {
            Ok(volume) => Ok(Injected { volume }),
            Err(NotInjected::Unconfigured) => Err(self.error_of(
                ErrorKind::Precondition,
                format!(
                    "the image {} has no agent server: set agent_binary to a static one, which is then put into it",
                    self.image()
                ),
            )),
            Err(NotInjected::Unreadable(path, error)) => Err(self
                .error_of(
                    ErrorKind::Precondition,
                    format!("agent_binary {} cannot be read: check the path", path.display()),
                )
                .with_source(error)),
            Err(NotInjected::Failure(failure)) => Err(self.explain(failure)),
        }
    }

    fn plan(&self, limits: &Limits, volume: String, injected: Option<Injected>) -> ContainerPlan {
        let address = self.config.publish_address;
        let published = view::publishes(self.config, &self.connection.api).then_some(Published { address });
        ContainerPlan {
            image: self.image().to_owned(),
            env: self.spec.env.clone(),
            labels: self.spec.labels.to_map(),
            workspace_volume: volume,
            network: self.config.network.clone(),
            published,
            injected,
            cpu_millis: limits.cpu_millis,
            memory_bytes: limits.memory_bytes,
            pids: limits.pids,
            storage_bytes: limits.storage_bytes,
            tmpfs: self.config.tmpfs,
            owned_tmpfs: !self.connection.api.facts.podman,
            log: self.config.log,
        }
    }

    /// Refuses a thing of the same name that belongs to another session.
    fn check_owner(&self, owner: Option<&Labels>, what: &str) -> Result<()> {
        let ours = &self.spec.labels;
        match owner {
            Some(owner) if owner.cluster == ours.cluster && owner.session == ours.session => Ok(()),
            _ => Err(self.taken(what)),
        }
    }

    fn taken(&self, what: &str) -> Error {
        self.error_of(
            ErrorKind::AlreadyExists,
            format!(
                "a {what} of the name that session {} needs belongs to somebody else: remove or rename it",
                self.spec.labels.session
            ),
        )
    }

    fn image(&self) -> &str {
        self.spec.image.as_deref().unwrap_or(&self.config.image)
    }

    fn name(&self) -> String {
        self.spec.labels.container_name()
    }

    fn error_of(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, PLATFORM, "create", message)
    }

    fn explain(&self, failure: Failure) -> Error {
        self.engine.note(self.connection, &failure);
        explain(failure, "create", &self.connection.address, About::Image(self.image()))
    }
}
