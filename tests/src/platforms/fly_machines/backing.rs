//! What runs in the fake's machines: Docker containers, or agent servers that are tasks of this process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agcluster_core::protocol::{AGENT_PORT, TOKEN_DIGEST_ENV};
use anyhow::{Context, bail};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures::StreamExt;
use serde_json::Value;

use crate::platforms::agents::AgentTask;

/// Marks the fake's containers; the value is the process that made them.
const OWNER: &str = "agcluster.fake.fly_machines";

/// What runs in machines.
#[derive(Debug, Clone)]
pub(super) enum Backing {
    /// A container each.
    Docker(Docker),
    /// A task each, by its name. In a machine without a token's digest nothing runs.
    Tasks(Tasks),
}

/// Tasks by the names of their machines. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<HashMap<String, AgentTask>>>);

impl Tasks {
    fn all(&self) -> MutexGuard<'_, HashMap<String, AgentTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self, name: &str, config: &Value) -> anyhow::Result<Option<SocketAddr>> {
        let Some(digest) = config["env"][TOKEN_DIGEST_ENV].as_str() else { return Ok(None) };
        let task = AgentTask::place().await?;
        task.start(digest).await?;
        let address = task.address();
        self.all().insert(name.to_owned(), task);
        Ok(Some(address))
    }

    async fn stop(&self, name: &str) {
        let task = self.all().remove(name);
        if let Some(task) = task {
            task.stop().await;
            task.end();
        }
    }
}

/// What a command left.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) exit_code: i64,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Backing {
    /// Docker, without what tests that were killed left behind.
    pub(super) async fn docker() -> anyhow::Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        let mine = owner("self").context("this process cannot be told from others")?;
        let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        for container in docker.list_containers(Some(options)).await? {
            let made_by = container.labels.unwrap_or_default().remove(OWNER).unwrap_or_default();
            let pid = made_by.split(':').next().unwrap_or_default();
            let lives = made_by == mine || owner(pid).is_some_and(|lives| lives == made_by);
            if let (false, Some(id)) = (lives, container.id) {
                remove(&docker, &id).await?;
            }
        }
        Ok(Self::Docker(docker))
    }

    /// Whether there is an image.
    pub(super) async fn has_image(&self, image: &str) -> bool {
        match self {
            Self::Docker(docker) => docker.inspect_image(image).await.is_ok(),
            Self::Tasks(_) => image == crate::ground::image(),
        }
    }

    /// The address of a new machine on the private network. A container's is known once it runs, a task has none.
    pub(super) fn private_ip(&self, number: u64) -> String {
        match self {
            Self::Docker(_) => String::new(),
            Self::Tasks(_) => format!("fdaa:0:1:a7b:1::{number:x}"),
        }
    }

    /// Where a port of what runs in a machine is reached: a task has one only.
    pub(super) fn at(&self, address: SocketAddr, port: u16) -> SocketAddr {
        match self {
            Self::Docker(_) => SocketAddr::new(address.ip(), port),
            Self::Tasks(_) => address,
        }
    }

    /// Starts what runs in a machine, and says where it is.
    pub(super) async fn start(
        &self,
        name: &str,
        image: &str,
        config: &Value,
    ) -> anyhow::Result<Option<SocketAddr>> {
        let docker = match self {
            Self::Docker(docker) => docker,
            Self::Tasks(tasks) => return tasks.start(name, config).await,
        };
        let env = config["env"].as_object().into_iter().flatten();
        let env = env.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
        let memory = config["guest"]["memory_mb"].as_i64().map(|memory| memory << 20);
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            env: Some(env),
            labels: Some(HashMap::from([(OWNER.to_owned(), owner("self").unwrap_or_default())])),
            stop_signal: Some(config["stop_config"]["signal"].as_str().unwrap_or("SIGINT").to_owned()),
            host_config: Some(HostConfig {
                memory,
                memory_swap: memory,
                nano_cpus: config["guest"]["cpus"].as_i64().map(|cpus| cpus.min(2) * 1_000_000_000),
                extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        docker.create_container(Some(options), body).await?;
        docker.start_container(name, None::<StartContainerOptions>).await?;
        let seen = docker.inspect_container(name, None::<InspectContainerOptions>).await?;
        let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        // None when it has ended already.
        let ip = networks.into_values().find_map(|network| network.ip_address?.parse().ok());
        Ok(ip.map(|ip| SocketAddr::new(ip, AGENT_PORT)))
    }

    /// Answers when what runs in a machine has ended by itself, with its exit code.
    pub(super) async fn ended(&self, name: &str) -> i64 {
        let Self::Docker(docker) = self else { return std::future::pending().await };
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        match docker.wait_container(name, Some(options)).next().await {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
            _ => std::future::pending().await,
        }
    }

    /// Asks what runs in a machine to end, then ends it. Its files go with it.
    pub(super) async fn stop(&self, name: &str, grace_seconds: i32) -> anyhow::Result<()> {
        let docker = match self {
            Self::Docker(docker) => docker,
            Self::Tasks(tasks) => {
                tasks.stop(name).await;
                return Ok(());
            }
        };
        let options = StopContainerOptionsBuilder::new().t(grace_seconds).build();
        docker.stop_container(name, Some(options)).await?;
        remove(docker, name).await
    }

    /// Freezes or thaws what runs in a machine.
    pub(super) async fn freeze(&self, name: &str, frozen: bool) -> anyhow::Result<()> {
        match (self, frozen) {
            (Self::Docker(docker), true) => docker.pause_container(name).await?,
            (Self::Docker(docker), false) => docker.unpause_container(name).await?,
            (Self::Tasks(tasks), frozen) => {
                if let Some(task) = tasks.all().get(name) {
                    task.freeze(frozen);
                }
            }
        }
        Ok(())
    }

    /// Removes what runs in a machine, if something does.
    pub(super) async fn remove(&self, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Docker(docker) => remove(docker, name).await,
            Self::Tasks(tasks) => {
                tasks.stop(name).await;
                Ok(())
            }
        }
    }

    /// Runs a command.
    pub(super) async fn exec(&self, name: &str, command: Vec<String>) -> anyhow::Result<Output> {
        let Self::Docker(docker) = self else { bail!("no command can be run in this machine") };
        let config = CreateExecOptions {
            cmd: Some(command),
            user: Some("0:0".to_owned()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = docker.create_exec(name, config).await?;
        let mut output = Output::default();
        if let StartExecResults::Attached { output: mut pieces, input: _input } =
            docker.start_exec(&exec.id, None).await?
        {
            while let Some(piece) = pieces.next().await {
                match piece? {
                    LogOutput::StdErr { message } => output.stderr.extend_from_slice(&message),
                    other => output.stdout.extend_from_slice(&other.into_bytes()),
                }
            }
        }
        // The end of the output and the exit code reach the engine on different ways.
        let mut again = tokio::time::interval(std::time::Duration::from_millis(10));
        loop {
            again.tick().await;
            let seen = docker.inspect_exec(&exec.id).await?;
            if let (Some(false) | None, Some(code)) = (seen.running, seen.exit_code) {
                return Ok(Output { exit_code: code, ..output });
            }
        }
    }

    /// The containers whose names begin like this.
    pub(super) async fn containers(&self, begin: &str) -> anyhow::Result<Vec<String>> {
        let docker = match self {
            Self::Docker(docker) => docker,
            Self::Tasks(tasks) => return Ok(tasks.all().keys().cloned().collect()),
        };
        let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let names = docker.list_containers(Some(options)).await?.into_iter().filter_map(|found| found.names);
        let names = names.flatten().map(|name| name.trim_start_matches('/').to_owned());
        Ok(names.filter(|name| name.starts_with(begin)).collect())
    }
}

async fn remove(docker: &Docker, name: &str) -> anyhow::Result<()> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match docker.remove_container(name, Some(options)).await {
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        // Somebody else removes it at this moment.
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => {
            let options = WaitContainerOptionsBuilder::new().condition("removed").build();
            match docker.wait_container(name, Some(options)).next().await {
                None | Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
                Some(Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })) => {
                    Ok(())
                }
                Some(Err(error)) => Err(error.into()),
            }
        }
        done => Ok(done?),
    }
}

/// A process by its number and the time of its start, since numbers are used again; `None` when there is none.
fn owner(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let pid = stat.split(' ').next()?;
    let started = stat.rsplit(") ").next()?.split(' ').nth(19)?;
    Some(format!("{pid}:{started}"))
}
