//! Making a machine: as few requests as possible, and each of them repeatable.

mod app;

use std::collections::BTreeMap;
use std::time::Duration;

use agcluster_core::provider::{Container, ContainerSpec, ContainerState, Error, ErrorKind, Labels, Result};
use tokio::time::{Instant, MissedTickBehavior};

use super::api::{Failure, Machine, MachinePlan};
use super::apps::is_machine;
use super::config::given;
use super::error::{About, explain};
use super::guest::Guest;
use super::provider::Inner;
use super::room::{NoRoom, no_room};
use super::wait::{self, Reached};
use super::{PLATFORM, view};

/// The pause between two looks at a name that another call is taking or giving up; the platform tells nobody when it is done.
const PAUSE: Duration = Duration::from_millis(250);

/// One call of `create`.
pub(super) struct Creation<'a> {
    inner: &'a Inner,
    spec: &'a ContainerSpec,
    app: String,
    name: String,
    image: &'a str,
    metadata: BTreeMap<String, String>,
    guest: Guest,
    deadline: Instant,
}

/// What asking for a machine came to.
enum Placed {
    New(Box<Machine>),
    /// There is one of the name.
    Taken(String),
    /// There was one of the name a moment ago.
    Busy,
}

/// What one attempt came to.
enum Attempt {
    Done(Box<(Container, Machine)>),
    /// Another call is making or removing the machine at this moment.
    Busy,
}

impl<'a> Creation<'a> {
    /// Refuses what the platform would not take, without asking it.
    pub(super) fn new(inner: &'a Inner, spec: &'a ContainerSpec) -> Result<Self> {
        let image = given(spec.image.as_ref()).or_else(|| given(inner.config.image.as_ref()));
        let image = image.ok_or_else(|| {
            let message = "no image was asked for and none is configured: set image to one that `fly` or docker pushed to registry.fly.io";
            Error::new(ErrorKind::Precondition, PLATFORM, "create", message)
        })?;
        Ok(Self {
            app: inner.apps.app_for(&spec.labels),
            name: spec.labels.container_name(),
            metadata: view::metadata(&spec.labels),
            guest: Guest::new(spec.resources, &inner.config.guest)?,
            deadline: Instant::now() + inner.config.timeouts.change(),
            inner,
            spec,
            image,
        })
    }

    /// Makes the machine, or adopts the one that is there, and waits until it runs.
    pub(super) async fn run(&self) -> Result<Container> {
        let made_app = self.ensure_app().await?;
        let result = self.in_app(made_app).await;
        if result.is_err() && made_app {
            self.remove_app().await;
        }
        result
    }

    async fn in_app(&self, made_app: bool) -> Result<Container> {
        let mut pause = tokio::time::interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < self.deadline {
            pause.tick().await;
            let attempt = match self.place(made_app).await? {
                Placed::New(machine) => self.bring_up(*machine).await?,
                Placed::Taken(id) => self.adopt(&id).await?,
                Placed::Busy => Attempt::Busy,
            };
            if let Attempt::Done(done) = attempt {
                let (container, machine) = *done;
                if let Ok(endpoint) = view::endpoint(&self.inner.config, &self.app, &machine) {
                    self.inner.fresh.remember(container.id.clone(), endpoint);
                }
                return Ok(container);
            }
        }
        Err(self.error_of(ErrorKind::Timeout, "another call kept changing this machine: try again"))
    }

    /// Asks for a machine in one region after the other.
    async fn place(&self, made_app: bool) -> Result<Placed> {
        let plan = self.plan();
        let codes = self.inner.config.regions.codes();
        let regions: Vec<Option<&str>> = if codes.is_empty() {
            vec![None]
        } else {
            codes.iter().map(|code| Some(code.as_str())).collect()
        };
        let mut fullest: Option<(NoRoom, Failure)> = None;
        for region in regions {
            let failure = match self.inner.api.create(&self.app, region, &plan).await {
                Ok(machine) if is_machine(&machine.id) => return Ok(Placed::New(Box::new(machine))),
                Ok(_) => {
                    return Err(
                        self.error_of(ErrorKind::Protocol, "the new machine has no id: check base_url")
                    );
                }
                Err(failure) => failure,
            };
            if let Some(by) = failure.refusal().and_then(|refusal| refusal.name_taken_by()) {
                return match by.filter(|id| is_machine(id)) {
                    Some(id) => Ok(Placed::Taken(id.to_owned())),
                    None => self.find_by_name().await,
                };
            }
            if let Some(room) = failure.refusal().and_then(no_room) {
                tracing::info!(name = self.name, region, %failure, "no room for a machine here");
                // What is worth another try is what to tell of.
                let tells_more = |(known, _): &(NoRoom, _)| {
                    *known != NoRoom::Host && (room == NoRoom::Host || *known == NoRoom::Quota)
                };
                if fullest.as_ref().is_none_or(tells_more) {
                    fullest = Some((room, failure));
                }
                continue;
            }
            if failure.is_not_found() && made_app {
                // The new app is not known everywhere yet.
                return Ok(Placed::Busy);
            }
            if failure.is_doubtful()
                && let Some(id) = self.find_made().await
            {
                tracing::info!(name = self.name, %failure, "a machine was made though the answer was lost");
                return Ok(Placed::Taken(id));
            }
            return Err(self.explain(failure));
        }
        match fullest {
            Some((_, failure)) => Err(self.explain(failure)),
            None => Ok(Placed::Busy),
        }
    }

    /// The machine that a lost answer may have been about. That it cannot be looked for is not the failure to tell of.
    async fn find_made(&self) -> Option<String> {
        let found = self.inner.api.list(&self.app, Some((Self::SESSION, &self.spec.labels.session))).await;
        let found = found.inspect_err(|failure| {
            tracing::warn!(name = self.name, %failure, "it could not be seen whether a machine was made");
        });
        found.ok()?.into_iter().find(|machine| self.has_name(machine)).map(|machine| machine.id)
    }

    /// The machine of our name where the refusal does not say which one it is.
    async fn find_by_name(&self) -> Result<Placed> {
        let all = self.inner.api.list(&self.app, None).await.map_err(|failure| self.explain(failure))?;
        Ok(match all.into_iter().find(|machine| self.has_name(machine)) {
            Some(machine) => Placed::Taken(machine.id),
            None => Placed::Busy,
        })
    }

    const SESSION: &'static str = "metadata.agcluster_session";

    fn has_name(&self, machine: &Machine) -> bool {
        machine.name.as_deref() == Some(&self.name) && !view::is_gone(machine) && is_machine(&machine.id)
    }

    /// Waits until a new machine runs; removes it when it does not.
    async fn bring_up(&self, machine: Machine) -> Result<Attempt> {
        // Counted from now: its turn may have come late.
        let deadline = Instant::now() + self.inner.config.timeouts.change();
        let failed = match self.wait_until(&machine, "started,stopped,failed", deadline).await {
            Ok(Reached::State(state)) => {
                let state = match state {
                    Some(state) => state,
                    None => self.look(&machine.id).await?.map_or_else(String::new, |seen| seen.state().to_owned()),
                };
                if state == "started" {
                    let container = Container {
                        id: super::apps::id(&self.app, &machine.id),
                        state: ContainerState::Running,
                        labels: self.spec.labels.clone(),
                        created_at: machine.created_at.as_ref().and_then(|at| at.parse().ok()),
                        expires_at: None,
                        warnings: self.guest.warnings.clone(),
                    };
                    return Ok(Attempt::Done(Box::new((container, machine.in_state(state)))));
                }
                self.ended_at_once(&machine.id).await
            }
            Ok(Reached::Gone) => {
                let message = "Fly gave the machine up while it launched: try again";
                return Err(self.error_of(ErrorKind::Unavailable, message));
            }
            Ok(Reached::NotYet) => self.error_of(
                ErrorKind::Timeout,
                "the machine did not start in time: try again, use a smaller image, or raise timeouts.change_seconds",
            ),
            Err(failure) => self.explain(failure),
        };
        self.clean_up(&machine.id).await;
        Err(failed)
    }

    /// Why a machine does not run that was started.
    async fn ended_at_once(&self, id: &str) -> Error {
        let exit = self.look(id).await.ok().flatten().and_then(|seen| seen.last_exit()).unwrap_or_default();
        let how = match (exit.oom_killed, exit.exit_code) {
            (Some(true), _) => "ran out of memory".to_owned(),
            (_, Some(code)) => format!("ended with exit code {code}"),
            _ => "ended".to_owned(),
        };
        let message = format!(
            "the program of the image {} {how} at once: use an image with an agent server",
            self.image
        );
        self.error_of(ErrorKind::Precondition, message)
    }

    /// Takes over the machine that has the name, if it is this session's.
    async fn adopt(&self, id: &str) -> Result<Attempt> {
        let Some(machine) = self.look(id).await? else { return Ok(Attempt::Busy) };
        if view::is_gone(&machine) {
            self.wait_for(&machine, "destroyed").await.map_err(|failure| self.explain(failure))?;
            return Ok(Attempt::Busy);
        }
        self.check_owner(view::labels(&machine).as_ref())?;
        match machine.state() {
            "started" => {
                let container = view::container(&self.app, &machine, self.guest.warnings.clone());
                return container
                    .map(|container| Attempt::Done(Box::new((container, machine))))
                    .ok_or_else(|| self.taken());
            }
            "stopped" | "suspended" => match self.inner.api.start(&self.app, id).await {
                Ok(()) => {
                    drop(self.wait_for(&machine, "started").await.map_err(|failure| self.explain(failure))?)
                }
                // Its state is another one by now: look again.
                Err(failure) if failure.is_not_found() || failure.status() == 412 => {}
                Err(failure) => return Err(self.explain(failure)),
            },
            "failed" => {
                self.inner.api.delete(&self.app, id).await.map_err(|failure| self.explain(failure))?
            }
            "stopping" => {
                drop(self.wait_for(&machine, "stopped").await.map_err(|failure| self.explain(failure))?)
            }
            "suspending" => {
                drop(
                    self.wait_for(&machine, "suspended,stopped")
                        .await
                        .map_err(|failure| self.explain(failure))?,
                );
            }
            _ => {
                let settled = self.wait_for(&machine, "started,stopped,failed").await;
                drop(settled.map_err(|failure| self.explain(failure))?);
            }
        }
        Ok(Attempt::Busy)
    }

    async fn look(&self, id: &str) -> Result<Option<Machine>> {
        match self.inner.api.get(&self.app, id).await {
            Ok(machine) => Ok(Some(machine)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(self.explain(failure)),
        }
    }

    /// Waits for what others do with a machine.
    async fn wait_for(&self, machine: &Machine, states: &str) -> Result<Reached, Failure> {
        self.wait_until(machine, states, self.deadline).await
    }

    async fn wait_until(
        &self,
        machine: &Machine,
        states: &str,
        deadline: Instant,
    ) -> Result<Reached, Failure> {
        let version = machine.instance_id.as_deref().filter(|_| states.contains("stopped"));
        wait::until(&self.inner.api, (&self.app, &machine.id), states, version, deadline).await
    }

    /// Removes a machine that did not come up. A failure here is not the one to tell of; what stays is found by `list`.
    async fn clean_up(&self, id: &str) {
        let api = &self.inner.api;
        let deadline = Instant::now() + self.inner.config.timeouts.call();
        let gone = match api.delete(&self.app, id).await {
            Ok(()) => wait::until(api, (&self.app, id), "destroyed", None, deadline).await.map(drop),
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = gone {
            tracing::warn!(machine = id, %failure, "a machine that did not come up was not removed");
        }
    }

    fn plan(&self) -> MachinePlan<'_> {
        let config = &self.inner.config;
        let is_public = config.reach == super::Reach::Public;
        MachinePlan {
            name: &self.name,
            image: self.image,
            env: &self.spec.env,
            metadata: &self.metadata,
            guest: &self.guest,
            public_idle_seconds: is_public.then_some(config.stream_idle_seconds),
        }
    }

    /// Refuses a machine of the same name that belongs to somebody else.
    fn check_owner(&self, owner: Option<&Labels>) -> Result<()> {
        let ours = &self.spec.labels;
        let same = |owner: &Labels| {
            owner.cluster == ours.cluster
                && owner.session == ours.session
                && owner.generation == ours.generation
        };
        if owner.is_some_and(same) { Ok(()) } else { Err(self.taken()) }
    }

    fn taken(&self) -> Error {
        let message = format!(
            "a machine of the name that session {} needs belongs to somebody else: destroy it, or use another app",
            self.spec.labels.session
        );
        self.error_of(ErrorKind::AlreadyExists, message)
    }

    fn error_of(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, PLATFORM, "create", message)
    }

    fn explain(&self, failure: Failure) -> Error {
        let regions = self.inner.config.regions.codes();
        explain(failure, "create", About::Creation { app: &self.app, image: self.image, regions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agcluster_core::provider::LABEL_SESSION;

    #[test]
    fn machines_are_looked_for_by_the_key_that_they_are_labelled_with() {
        assert_eq!(Creation::SESSION, format!("metadata.{}", view::key(LABEL_SESSION)));
    }
}
