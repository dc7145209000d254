//! The trait.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::provider::{
    Archive, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions,
    Endpoint, ErrorKind, Exec, ExecOptions, ExecOutput, Fork, Isolation, Lifetime, Limits, ListFilter,
    LogLine, LogOptions, Logs, PathInContainer, Probe, ProviderInfo, Result, SnapshotCapability, Start,
    StopOptions,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::api::{Failure, Session, Status, Tag};
use super::config::VercelConfig;
use super::create::Creation;
use super::error::{About, no_container, plain};
use super::exec::Execution;
use super::shared::{Shared, container_of, to_the_end};
use super::{PLATFORM, tags, view, wait};

/// Sandboxes of one Vercel project.
///
/// Cheap to clone; clones share one connection. Made without contacting Vercel.
#[derive(Debug, Clone)]
pub struct VercelProvider {
    shared: Arc<Shared>,
}

const SIGTERM: i32 = 15;

impl VercelProvider {
    /// A provider for the team and project that the configuration names.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a configuration that cannot work, or without credentials; it names field and variable.
    pub fn new(config: VercelConfig) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared::new(config)?) })
    }

    /// Lets the agent server end by itself, for as long as `grace`. That it does not is no error: its machine ends next.
    async fn end_gently(&self, session: &Session, grace: Duration) -> Result<(), Failure> {
        let Shared { api, agent, .. } = &*self.shared;
        if let Some(command) = agent.find(api, session).await?
            && command.exit_code.is_none()
        {
            api.kill(&session.id, &command.id, SIGTERM).await?;
            match api.wait(&session.id, &command.id, grace).await {
                Err(Failure::Timeout) => {}
                done => drop(done?),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ContainerProvider for VercelProvider {
    fn info(&self) -> ProviderInfo {
        let config = &self.shared.config;
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                // A machine's size bounds everything, but it comes in steps of a processor with 2 GiB, and not as asked.
                limits: Limits::default(),
                lifetime: Lifetime {
                    default: Some(config.lifetime()),
                    max: Some(config.plan.longest()),
                    extendable: true,
                },
                custom_image: true,
                start: config.persistent.then_some(Start { keeps_workspace: true }),
                snapshot: Some(SnapshotCapability { stops_source: true, keeps_memory: false }),
                fork: Some(Fork { stops_source: true }),
                logs: Some(Logs { follow: true }),
                exec: Some(Exec { max: Some(config.plan.longest()) }),
                archive: Some(Archive { while_stopped: false }),
                ..Capabilities::required(Isolation::VirtualMachine)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let Shared { api, config, .. } = &*self.shared;
        let answer = api.probe(config.timeouts.probe()).await;
        answer.map_err(|failure| self.shared.explain(failure, "probe", About::Project))?;
        let mut warnings = Vec::new();
        if config.persistent && config.snapshot_expiration_days == 0 {
            warnings.push(
                "snapshots are kept for ever and cost storage: set snapshot_expiration_days".to_owned(),
            );
        }
        Ok(Probe { version: None, warnings })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        Creation { shared: &self.shared, spec: &spec, operation: "create", snapshot: None }.run().await
    }

    async fn restore(&self, snapshot: &str, spec: ContainerSpec) -> Result<Container> {
        let (shared, operation) = (&*self.shared, "restore");
        Creation { shared, spec: &spec, operation, snapshot: Some(snapshot) }.run().await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        let seen = self.shared.seen(id, "inspect").await?;
        view::container(&seen, Vec::new()).ok_or_else(|| no_container(id, "inspect"))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        // Vercel takes one tag; the rest is done here.
        let tag = match (&filter.session, &filter.cluster) {
            (Some(value), _) => Some(Tag { key: tags::SESSION, value }),
            (None, Some(value)) => Some(Tag { key: tags::CLUSTER, value }),
            (None, None) => None,
        };
        let listed = self.shared.api.list(tag, "agc-").await;
        let listed = listed.map_err(|failure| self.shared.explain(failure, "list", About::Project))?;
        let all = listed.iter().filter_map(|sandbox| view::listed(sandbox, Vec::new()));
        Ok(all.filter(|container| filter.matches(&container.labels)).collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let seen = self.shared.seen(id, "endpoint").await?;
        view::endpoint(&self.shared.config, &seen)
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        let Shared { api, .. } = &*self.shared;
        let seen = self.shared.seen(id, "stop").await?;
        let explain = |failure| self.shared.explain(failure, "stop", About::Container(&id.0));
        let mut session = seen.session;
        if !session.status.is_final() && !matches!(session.status, Status::Stopping | Status::Snapshotting) {
            if !options.grace.is_zero() && session.status == Status::Running {
                match self.end_gently(&session, options.grace).await {
                    Err(failure) if failure.is_stopped() || failure.is_stopping() => {}
                    done => done.map_err(explain)?,
                }
            }
            session = match api.stop(&session.id).await {
                Err(failure) if failure.is_stopped() || failure.is_stopping() => {
                    api.session(&session.id).await.map_err(explain)?
                }
                stopped => stopped.map_err(explain)?,
            };
        }
        wait::until_over(api, session).await.map_err(explain)?;
        Ok(())
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        let (shared, id) = (self.shared.clone(), id.clone());
        // Two calls that belong together.
        to_the_end("destroy", async move {
            if options.keep_workspace { shared.keep(&id).await } else { shared.destroy(&id).await }
        })
        .await
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        if !self.shared.config.persistent {
            return Err(self.unsupported("start"));
        }
        let Shared { api, agent, .. } = &*self.shared;
        let mut seen = self.shared.seen(id, "start").await?;
        let explain = |failure| self.shared.explain(failure, "start", About::Container(&id.0));
        if seen.session.status != Status::Running {
            seen = self.shared.resumed(container_of(id, "start")?).await.map_err(explain)?;
            wait::running(&seen, "start")?;
        }
        let started = agent.ensure(api, &seen.session).await;
        started.map_err(|why| self.shared.not_started(why, "start"))?;
        view::container(&seen, Vec::new()).ok_or_else(|| no_container(id, "start"))
    }

    async fn snapshot(&self, id: &ContainerId) -> Result<String> {
        self.shared.snapshot(id).await
    }

    async fn fork(&self, source: &ContainerId, spec: ContainerSpec) -> Result<Container> {
        self.shared.fork(source, &spec).await
    }

    async fn extend(&self, id: &ContainerId, lifetime: Duration) -> Result<Container> {
        let mut seen = self.shared.running(id, "extend").await?;
        let wanted = view::from_now(lifetime)
            .ok_or_else(|| plain(ErrorKind::Invalid, "extend", "nothing lives so long: ask for less"))?;
        let end = seen.session.expires_at().unwrap_or_else(Timestamp::now);
        if end < wanted {
            let by = wanted.duration_since(end).unsigned_abs();
            let extended = self.shared.api.extend(&seen.session.id, by).await;
            seen.session = extended
                .map_err(|failure| self.shared.explain(failure, "extend", About::Container(&id.0)))?;
        }
        view::container(&seen, Vec::new()).ok_or_else(|| no_container(id, "extend"))
    }

    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        self.shared.logs(id, options).await
    }

    async fn exec(&self, id: &ContainerId, mut options: ExecOptions) -> Result<ExecOutput> {
        if options.command.is_empty() {
            return Err(plain(ErrorKind::Invalid, "exec", "name a command to run"));
        }
        options.timeout = options.timeout.min(self.shared.config.plan.longest());
        let seen = self.shared.running(id, "exec").await?;
        let session = &seen.session.id;
        Execution { shared: &self.shared, session, operation: "exec", sudo: false }.run(&options).await
    }

    async fn read_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.shared.read_archive(id, &path).await
    }

    async fn write_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        self.shared.write_archive(id, &path, tar).await
    }
}
