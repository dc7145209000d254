//! The trait.

use std::collections::HashSet;
use std::sync::Arc;

use agcluster_core::provider::{
    Archive, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions,
    Endpoint, Error, ErrorKind, Exec, ExecOptions, ExecOutput, Isolation, LABEL_CLUSTER, LABEL_SESSION,
    Limits, ListFilter, LogLine, LogOptions, LogPlace, Logs, PathInContainer, Pause, Probe, ProviderInfo,
    Result, Start, Stats, StopOptions,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::api::{EngineLimits, ExecResult, Failure, SeenState};
use super::config::DockerConfig;
use super::connection::{Connection, Engine};
use super::create::Creation;
use super::error::{About, explain};
use super::{AGENT_GID, AGENT_UID, PLATFORM, destroy, view};
use crate::name::{self, Name};

/// Containers on a Docker or Podman engine.
///
/// Cheap to clone; clones share one connection. Made without contacting the engine: it is looked for at the first call, and
/// again after it went away.
#[derive(Debug, Clone)]
pub struct DockerProvider {
    config: Arc<DockerConfig>,
    engine: Arc<Engine>,
}

/// A command is ended after this long at the latest.
const LONGEST_EXEC: std::time::Duration = std::time::Duration::from_secs(3600);

impl DockerProvider {
    /// A provider for the engine that the configuration or the environment names.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a configuration that cannot work on any engine.
    pub fn new(config: DockerConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config: Arc::new(config), engine: Arc::default() })
    }

    async fn connect(&self, operation: &'static str) -> Result<Arc<Connection>> {
        self.engine
            .connect(&self.config)
            .await
            .map_err(|found| explain(found.failure, operation, &found.address, About::Engine))
    }

    fn explain(
        &self,
        connection: &Arc<Connection>,
        failure: Failure,
        operation: &'static str,
        about: About<'_>,
    ) -> Error {
        self.engine.note(connection, &failure);
        explain(failure, operation, &connection.address, about)
    }
}

/// The container an id stands for; [`ErrorKind::NotFound`] for anything else.
fn container_of<'a>(id: &'a ContainerId, operation: &'static str) -> Result<&'a str> {
    match Name::of(id) {
        Some(Name::Container(name)) => Ok(name),
        _ => Err(no_container(id, operation)),
    }
}

fn no_container(id: &ContainerId, operation: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, PLATFORM, operation, format!("there is no container {id}"))
}

#[async_trait]
impl ContainerProvider for DockerProvider {
    fn info(&self) -> ProviderInfo {
        // Before an engine was seen: what every engine but a crippled one can do.
        let usual = EngineLimits { cpu: true, memory: true, swap: true, pids: true, storage: false };
        let limits = self.engine.current().map_or(usual, |connection| connection.api.facts.limits);
        ProviderInfo {
            platform: PLATFORM,
            capabilities: Capabilities {
                limits: Limits {
                    cpu: limits.cpu,
                    memory: limits.memory,
                    pids: limits.pids,
                    storage: limits.storage,
                },
                custom_image: true,
                start: Some(Start { keeps_workspace: true }),
                pause: Some(Pause { keeps_memory: true }),
                logs: Some(Logs { follow: true }),
                stats: true,
                exec: Some(Exec { max: Some(LONGEST_EXEC) }),
                archive: Some(Archive { while_stopped: true }),
                ..Capabilities::required(Isolation::Container)
            },
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let connection = self.connect("probe").await?;
        let explain = |failure| self.explain(&connection, failure, "probe", About::Engine);
        connection.api.ping().await.map_err(explain)?;
        let facts = &connection.api.facts;
        let mut warnings = Vec::new();
        let missing = connection.images.get(&connection.api, &self.config.image).await.map_err(explain)?;
        if missing.is_none() {
            warnings.push(super::error::no_image(&self.config.image));
        }
        connection.network.look(&connection.api).await.map_err(explain)?;
        warnings.extend(connection.network.warning(&connection.api));
        if !facts.limits.storage {
            warnings.push("this engine cannot bound the size of a workspace".to_owned());
        }
        for (enforced, what) in [
            (facts.limits.cpu, "processor time"),
            (facts.limits.memory, "memory"),
            (facts.limits.pids, "the number of processes"),
        ] {
            if !enforced {
                warnings.push(format!("this engine's kernel cannot limit {what}"));
            }
        }
        Ok(Probe { version: Some(facts.version.clone()), warnings })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let connection = &self.connect("create").await?;
        Creation { config: &self.config, engine: &self.engine, connection, spec: &spec }.run().await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        let connection = self.connect("inspect").await?;
        let about = About::Container(&id.0);
        let explain = |failure| self.explain(&connection, failure, "inspect", about);
        let found = match Name::of(id) {
            Some(Name::Container(name)) => {
                let seen = connection.api.inspect(name).await.map_err(explain)?;
                view::container(&seen, Vec::new())
            }
            Some(Name::Workspace(volume)) => {
                let volume = connection.api.volume(volume).await.map_err(explain)?;
                volume.and_then(|volume| view::remains(&volume))
            }
            None => None,
        };
        found.ok_or_else(|| no_container(id, "inspect"))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let connection = self.connect("list").await?;
        let explain = |failure| self.explain(&connection, failure, "list", About::Engine);
        let mut labels = vec![LABEL_SESSION.to_owned()];
        labels.extend(filter.cluster.iter().map(|cluster| format!("{LABEL_CLUSTER}={cluster}")));
        labels.extend(filter.session.iter().map(|session| format!("{LABEL_SESSION}={session}")));
        // Volumes first: what is made between the two calls has a container in the second one.
        let volumes = connection.api.volumes(&labels).await.map_err(explain)?;
        let seen = connection.api.containers(&labels).await.map_err(explain)?;
        let mut found: Vec<_> = seen.iter().filter_map(|seen| view::container(seen, Vec::new())).collect();
        let used: HashSet<_> = found.iter().map(|container| name::workspace(&container.labels)).collect();
        found.extend(volumes.iter().filter(|volume| !used.contains(&volume.name)).filter_map(view::remains));
        found.retain(|container| filter.matches(&container.labels));
        Ok(found)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let name = container_of(id, "endpoint")?;
        let connection = self.connect("endpoint").await?;
        let seen = connection
            .api
            .inspect(name)
            .await
            .map_err(|failure| self.explain(&connection, failure, "endpoint", About::Container(name)))?;
        view::endpoint(&self.config, &connection.api, &seen)
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        // What remains of a container stands still.
        if let Some(Name::Workspace(_)) = Name::of(id) {
            return self.inspect(id).await.map(|_| ());
        }
        let name = container_of(id, "stop")?;
        let connection = self.connect("stop").await?;
        connection
            .api
            .stop(name, options.grace)
            .await
            .map_err(|failure| self.explain(&connection, failure, "stop", About::Container(name)))
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        let Some(name) = Name::of(id) else { return Ok(()) };
        let connection = self.connect("destroy").await?;
        let limit = self.config.timeouts.change();
        destroy::destroy(&connection.api, name, options.keep_workspace, limit)
            .await
            .map_err(|failure| self.explain(&connection, failure, "destroy", About::Container(&id.0)))
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        let name = container_of(id, "start")?;
        let connection = self.connect("start").await?;
        match connection.api.start(name).await {
            // A paused one runs, as far as starting goes, and answers nobody: that is for `resume`.
            Ok(()) => self.inspect(id).await,
            Err(failure) => Err(self.explain(&connection, failure, "start", About::Container(name))),
        }
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        let name = container_of(id, "pause")?;
        let connection = self.connect("pause").await?;
        match connection.api.pause(name).await {
            Err(failure) if matches!(&failure, Failure::Refused { message, .. } if message.contains("already paused")) => {
                Ok(())
            }
            done => {
                done.map_err(|failure| self.explain(&connection, failure, "pause", About::Container(name)))
            }
        }
    }

    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        let name = container_of(id, "resume")?;
        let connection = self.connect("resume").await?;
        let explain = |failure| self.explain(&connection, failure, "resume", About::Container(name));
        match connection.api.unpause(name).await {
            Ok(()) => {}
            Err(failure) => {
                // Success if it runs anyway; the refusal does not tell.
                let seen = connection.api.inspect(name).await.map_err(explain)?;
                if seen.state != SeenState::Running {
                    let gone = "the container does not run: start it, or make another one";
                    return match failure {
                        Failure::Refused { .. } => {
                            Err(Error::new(ErrorKind::Gone, PLATFORM, "resume", gone).with_source(failure))
                        }
                        failure => Err(explain(failure)),
                    };
                }
            }
        }
        self.inspect(id).await
    }

    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        let name = container_of(id, "logs")?.to_owned();
        let connection = self.connect("logs").await?;
        // The stream itself would tell too late that there is no such container.
        connection
            .api
            .inspect(&name)
            .await
            .map_err(|failure| self.explain(&connection, failure, "logs", About::Container(&name)))?;
        LogPlace::in_log(&name, 0).check(options.after, PLATFORM)?;
        if let Some(after) =
            options.after.filter(|after| i128::from(after.number) > Timestamp::now().as_nanosecond())
        {
            return Err(after.in_future(PLATFORM));
        }
        let lines = connection.api.logs(&name, options);
        let address = connection.address.clone();
        Ok(lines
            .map(move |line| {
                line.map_err(|failure| explain(failure, "logs", &address, About::Container(&name)))
            })
            .boxed())
    }

    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let name = container_of(id, "stats")?;
        let connection = self.connect("stats").await?;
        let stats = connection
            .api
            .stats(name)
            .await
            .map_err(|failure| self.explain(&connection, failure, "stats", About::Container(name)))?;
        stats.ok_or_else(|| {
            Error::new(ErrorKind::Gone, PLATFORM, "stats", "the container does not run: start it first")
        })
    }

    async fn exec(&self, id: &ContainerId, mut options: ExecOptions) -> Result<ExecOutput> {
        let name = container_of(id, "exec")?;
        options.timeout = options.timeout.min(LONGEST_EXEC);
        let connection = self.connect("exec").await?;
        let user = format!("{AGENT_UID}:{AGENT_GID}");
        let error = |kind, message: String| Err(Error::new(kind, PLATFORM, "exec", message));
        if options.command.is_empty() {
            return error(ErrorKind::Invalid, "name a command to run".to_owned());
        }
        match connection.api.exec(name, &user, &options).await {
            Ok(ExecResult::Ended(output)) => Ok(output),
            Ok(ExecResult::TimedOut) => error(
                ErrorKind::Timeout,
                format!("the command ran longer than {} s and was ended", options.timeout.as_secs()),
            ),
            Ok(ExecResult::NoShell) => error(
                ErrorKind::Precondition,
                "the image has no /bin/sh, which running a command takes: use another image".to_owned(),
            ),
            Err(failure) => Err(self.explain(&connection, failure, "exec", About::Container(name))),
        }
    }

    async fn read_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let name = container_of(id, "read_archive")?;
        let connection = self.connect("read_archive").await?;
        let about = About::Path(path.as_str());
        let explain_now = |failure: Failure| {
            let about = if failure.says(404, "no such container") { About::Container(name) } else { about };
            self.explain(&connection, failure, "read_archive", about)
        };
        let pieces = connection.api.download(name, path.as_str()).await.map_err(explain_now)?;
        let address = connection.address.clone();
        Ok(pieces
            .map(move |piece| {
                piece.map_err(|failure| explain(failure, "read_archive", &address, About::Engine))
            })
            .boxed())
    }

    async fn write_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        let name = container_of(id, "write_archive")?;
        let connection = self.connect("write_archive").await?;
        connection.api.upload(name, path.as_str(), tar).await.map_err(|failure| {
            let missing = failure.says(404, "no such container");
            let about = if missing { About::Container(name) } else { About::Path(path.as_str()) };
            self.explain(&connection, failure, "write_archive", about)
        })
    }
}
