//! The trait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agcluster_core::provider::{
    Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Endpoint, Error,
    ErrorKind, Exec, ExecOptions, ExecOutput, Isolation, Limits, ListFilter, Pause, Probe, ProviderInfo,
    Result, Start, StopOptions, invalid_field as invalid,
};
use async_trait::async_trait;
use tokio::time::Instant;

use super::api::{Api, Failure, Machine};
use super::apps::{Apps, Target};
use super::config::{FlyMachinesConfig, Reach};
use super::create::Creation;
use super::error::{About, explain};
use super::exec::{self, NotRun};
use super::fresh::Fresh;
use super::guest::SUSPENDABLE_MB;
use super::wait::{self, Reached};
use super::{PLATFORM, token, view};

mod lists;

/// Containers as Fly Machines.
///
/// Cheap to clone; clones share connections and turns. Made without contacting the platform.
#[derive(Debug, Clone)]
pub struct FlyMachinesProvider {
    inner: Arc<Inner>,
}

/// What all clones share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: FlyMachinesConfig,
    pub(super) apps: Apps,
    pub(super) api: Api,
    pub(super) fresh: Fresh,
    /// Whether the app was seen to have a public address, which it keeps.
    has_address: AtomicBool,
}

impl FlyMachinesProvider {
    /// A provider for the app or organisation of a configuration.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the field for a configuration that cannot work.
    pub fn new(config: FlyMachinesConfig) -> Result<Self> {
        config.validate()?;
        let authorization = config.token.as_ref().and_then(token::authorization);
        let authorization = authorization.ok_or_else(|| invalid(PLATFORM, "token", "give a token"))?;
        let api = Api::new(&config, &authorization).map_err(|reason| invalid(PLATFORM, "token", &reason))?;
        let (apps, fresh) = (Apps::of(&config), Fresh::default());
        let inner = Inner { config, apps, api, fresh, has_address: AtomicBool::new(false) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The machine an id stands for; [`ErrorKind::NotFound`] for anything else.
    fn machine<'a>(&self, id: &'a ContainerId, operation: &'static str) -> Result<(&'a str, &'a str)> {
        match self.inner.apps.target(id) {
            Some(Target::Machine { app, machine }) => Ok((app, machine)),
            _ => Err(not_found(id, operation)),
        }
    }

    async fn get(&self, id: &ContainerId, operation: &'static str) -> Result<(Machine, &Api)> {
        let (app, machine) = self.machine(id, operation)?;
        let api = &self.inner.api;
        let seen = api.get(app, machine).await.map_err(|failure| self.about(id, failure, operation))?;
        if view::is_gone(&seen) {
            return Err(not_found(id, operation));
        }
        Ok((seen, api))
    }

    /// The error of a failed call about a machine. That its app is gone means that it is.
    fn about(&self, id: &ContainerId, failure: Failure, operation: &'static str) -> Error {
        let is_app = failure.refusal().is_some_and(|refusal| refusal.status == 404 && refusal.says("app"));
        match &self.inner.apps {
            Apps::Shared(app) if is_app => explain(failure, operation, About::App(app)),
            _ => explain(failure, operation, About::Machine(&id.0)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.inner.config.timeouts.change()
    }

    /// Waits until a machine is in one of these states.
    async fn reach(
        &self,
        id: &ContainerId,
        operation: &'static str,
        states: &str,
        version: Option<&str>,
        deadline: Instant,
    ) -> Result<Option<String>> {
        let target = self.machine(id, operation)?;
        match wait::until(&self.inner.api, target, states, version, deadline).await {
            Ok(Reached::State(state)) => Ok(state),
            Ok(Reached::Gone) => Err(not_found(id, operation)),
            Ok(Reached::NotYet) => Err(Error::new(
                ErrorKind::Timeout,
                PLATFORM,
                operation,
                format!("the machine was not {states} in time: try again, or raise timeouts.change_seconds"),
            )),
            Err(failure) => Err(self.about(id, failure, operation)),
        }
    }

    /// Starts a machine and waits until it runs.
    async fn bring_up(&self, id: &ContainerId, operation: &'static str) -> Result<Container> {
        let (app, machine) = self.machine(id, operation)?;
        let deadline = self.deadline();
        if let Err(failure) = self.inner.api.start(app, machine).await {
            // Success if it runs anyway, or is about to; the refusal does not tell.
            let (seen, _) = self.get(id, operation).await?;
            if matches!(seen.state(), "stopped" | "suspended" | "failed") || failure.refusal().is_none() {
                return Err(self.about(id, failure, operation));
            }
        }
        self.reach(id, operation, "started", None, deadline).await?;
        let (seen, _) = self.get(id, operation).await?;
        view::container(app, &seen, Vec::new()).ok_or_else(|| not_found(id, operation))
    }
}

fn not_found(id: &ContainerId, operation: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, PLATFORM, operation, format!("there is no container {id}"))
}

fn gone(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Gone,
        PLATFORM,
        operation,
        "the machine does not run: start it, or make another one",
    )
}

#[async_trait]
impl ContainerProvider for FlyMachinesProvider {
    fn info(&self) -> ProviderInfo {
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                // Processors come whole, so less than one is not held to; nothing bounds processes or files.
                limits: Limits { memory: true, ..Limits::default() },
                custom_image: true,
                // A machine that stops loses its root file system.
                start: Some(Start { keeps_workspace: false }),
                pause: Some(Pause { keeps_memory: true }),
                exec: Some(Exec { max: Some(exec::LONGEST) }),
                ..Capabilities::required(Isolation::VirtualMachine)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let api = &self.inner.api;
        let mut warnings = Vec::new();
        match &self.inner.apps {
            Apps::Shared(app) => {
                let explain = |failure| explain(failure, "probe", About::App(app));
                api.app(app).await.map_err(explain)?;
                let is_public = self.inner.config.reach == Reach::Public;
                if is_public && !self.inner.has_address.load(Ordering::Relaxed) {
                    let has_address = api.has_address(app).await.map_err(explain)?;
                    self.inner.has_address.store(has_address, Ordering::Relaxed);
                    if !has_address {
                        warnings.push(format!(
                            "the app {app} has no public address: `fly ips allocate-v4 --shared -a {app}` gives it one"
                        ));
                    }
                }
            }
            Apps::PerSession { organization, .. } => {
                let about = About::Organization(organization);
                let tokens = api.tokens().await.map_err(|failure| explain(failure, "probe", about))?;
                let slugs: Vec<_> = tokens.iter().filter_map(|scope| scope.org_slug.as_deref()).collect();
                if !slugs.is_empty() && !slugs.contains(&organization.as_str()) {
                    let message = format!(
                        "the token is of {} and not of {organization}: set organization (FLY_ORG), or token to one of {organization}",
                        slugs.join(", ")
                    );
                    return Err(Error::new(ErrorKind::Auth, PLATFORM, "probe", message));
                }
            }
        }
        if self.inner.config.image.is_none() {
            warnings.push("no image is configured: agents that name none cannot be launched".to_owned());
        }
        Ok(Probe { version: None, warnings })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        Creation::new(&self.inner, &spec)?.run().await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        if let Some(Target::App(app)) = self.inner.apps.target(id) {
            return self.inspect_app(app, "inspect").await;
        }
        let (app, _) = self.machine(id, "inspect")?;
        let (seen, _) = self.get(id, "inspect").await?;
        view::container(app, &seen, Vec::new()).ok_or_else(|| not_found(id, "inspect"))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let mut found = match &self.inner.apps {
            Apps::Shared(app) => self.list_app(app, &filter).await?,
            Apps::PerSession { organization, prefix } => {
                self.list_organization(organization, prefix, &filter).await?
            }
        };
        found.retain(|container| filter.matches(&container.labels));
        Ok(found)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        if let Some(endpoint) = self.inner.fresh.take(id) {
            return Ok(endpoint);
        }
        let (app, _) = self.machine(id, "endpoint")?;
        let (seen, _) = self.get(id, "endpoint").await?;
        view::endpoint(&self.inner.config, app, &seen)
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        self.inner.fresh.take(id);
        // What remains of a container stands still.
        if let Some(Target::App(app)) = self.inner.apps.target(id) {
            return self.inspect_app(app, "stop").await.map(drop);
        }
        let (app, machine) = self.machine(id, "stop")?;
        let deadline = self.deadline() + options.grace;
        let (mut seen, api) = self.get(id, "stop").await?;
        if matches!(seen.state(), "created" | "starting" | "restarting" | "updating" | "replacing") {
            // It can be stopped once it runs.
            let version = seen.instance_id.as_deref();
            self.reach(id, "stop", "started,stopped,failed", version, deadline).await?;
            seen = self.get(id, "stop").await?.0;
        }
        if matches!(seen.state(), "stopped" | "failed") {
            return Ok(());
        }
        if seen.state() != "stopping"
            && let Err(failure) = api.stop(app, machine, options.grace).await
        {
            // Success if it ended by itself meanwhile.
            let (now, _) = self.get(id, "stop").await?;
            if !matches!(now.state(), "stopped" | "stopping") || failure.refusal().is_none() {
                return Err(self.about(id, failure, "stop"));
            }
        }
        let version = seen.instance_id.as_deref();
        self.reach(id, "stop", "stopped", version, deadline).await.map(drop)
    }

    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        // A workspace goes with its machine: there is none to keep.
        self.inner.fresh.take(id);
        let app = match self.inner.apps.target(id) {
            None => return Ok(()),
            Some(Target::App(app)) => app,
            Some(Target::Machine { app, machine }) => {
                self.destroy_machine(id, (app, machine)).await?;
                app
            }
        };
        if matches!(self.inner.apps, Apps::Shared(_)) {
            return Ok(());
        }
        match self.inner.api.delete_app(app).await {
            Err(failure) if !failure.is_not_found() => Err(explain(failure, "destroy", About::App(app))),
            _ => Ok(()),
        }
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        self.bring_up(id, "start").await
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        self.inner.fresh.take(id);
        let (app, machine) = self.machine(id, "pause")?;
        let deadline = self.deadline();
        let (seen, api) = self.get(id, "pause").await?;
        match seen.state() {
            "suspended" => return Ok(()),
            "stopping" | "stopped" | "failed" => return Err(gone("pause")),
            _ if seen.memory_mb().is_some_and(|memory| memory > SUSPENDABLE_MB) => {
                let message =
                    "a machine with more than 2g of memory cannot be suspended: ask for less memory";
                return Err(Error::new(ErrorKind::Precondition, PLATFORM, "pause", message));
            }
            "suspending" => {}
            _ => api.suspend(app, machine).await.map_err(|failure| self.about(id, failure, "pause"))?,
        }
        let version = seen.instance_id.as_deref();
        match self.reach(id, "pause", "suspended,stopped", version, deadline).await?.as_deref() {
            Some("stopped") => Err(gone("pause")),
            _ => Ok(()),
        }
    }

    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        let (seen, _) = self.get(id, "resume").await?;
        match seen.state() {
            "suspending" => {
                let version = seen.instance_id.as_deref();
                self.reach(id, "resume", "suspended,stopped", version, self.deadline()).await?;
            }
            "suspended" => {}
            "stopping" | "stopped" | "failed" => return Err(gone("resume")),
            _ => {
                let (app, _) = self.machine(id, "resume")?;
                return view::container(app, &seen, Vec::new()).ok_or_else(|| not_found(id, "resume"));
            }
        }
        self.bring_up(id, "resume").await
    }

    async fn exec(&self, id: &ContainerId, options: ExecOptions) -> Result<ExecOutput> {
        let target = self.machine(id, "exec")?;
        match exec::run(&self.inner.api, target, &options).await {
            Ok(output) => Ok(output),
            Err(NotRun::Error(error)) => Err(error),
            Err(NotRun::Failure(failure)) if matches!(failure.status(), 400..=499) => {
                let (seen, _) = self.get(id, "exec").await?;
                match seen.state() {
                    "started" => Err(self.about(id, failure, "exec")),
                    "suspending" | "suspended" => {
                        let message = "the machine is suspended: resume it first";
                        Err(Error::new(ErrorKind::Precondition, PLATFORM, "exec", message)
                            .with_source(failure))
                    }
                    _ => Err(gone("exec").with_source(failure)),
                }
            }
            Err(NotRun::Failure(failure)) => Err(self.about(id, failure, "exec").retryable(false)),
        }
    }
}
