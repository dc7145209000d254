//! Machines that are Docker containers.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, ListContainersOptions, ListImagesOptions, RemoveContainerOptions,
    RemoveImageOptions, UploadToContainerOptions,
};
use bytes::Bytes;
use futures::StreamExt;

use super::{CWD, Execution, Output};
use crate::ground::image;
use crate::platforms::vercel::IMAGE;

/// Vercel's own user.
const USER: &str = "1000:1000";
const ROOT: &str = "0:0";
/// All that is made here has this label; its value is the process that did.
const LABEL: &str = "agcluster.fake.vercel";
/// How long the engine may take to remove a container.
const REMOVAL: Duration = Duration::from_secs(30);

/// The engine with the containers of one fake.
#[derive(Debug, Clone)]
pub(in super::super) struct Containers {
    docker: Docker,
    /// Unique to this fake.
    mark: String,
}

/// One container.
#[derive(Debug, Clone)]
pub(in super::super) struct Container {
    docker: Docker,
    pub(super) id: String,
    pub(super) ip: String,
}

impl Containers {
    /// Connects, and removes what processes that are gone have left.
    pub(super) async fn connect() -> anyhow::Result<Self> {
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        let mark = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let engine = Self { docker, mark };
        engine
            .sweep(|mark| {
                let process = mark.split('-').next().unwrap_or_default();
                !std::path::Path::new("/proc").join(process).exists()
            })
            .await?;
        Ok(engine)
    }

    /// Removes everything of this fake.
    pub(super) async fn remove_all(&self) -> anyhow::Result<()> {
        self.sweep(|mark| mark == self.mark).await
    }

    async fn sweep(&self, which: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        for (id, mark) in self.containers().await? {
            if which(&mark) {
                let removed = tokio::time::timeout(REMOVAL, self.remove(&id)).await;
                removed.with_context(|| format!("the engine does not remove the container {id}"))??;
            }
        }
        let mut left = self.images().await?;
        left.retain(|(_, mark)| which(mark));
        // One may be the parent of another.
        for _ in 0..left.len() {
            for (id, _) in &left {
                let force = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
                // What cannot be removed yet is removed in the next round.
                let _ = self.docker.remove_image(id, Some(force), None).await;
            }
            left = self.images().await?;
            left.retain(|(_, mark)| which(mark));
            if left.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn of_fakes() -> Option<HashMap<String, Vec<String>>> {
        Some(HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]))
    }

    async fn containers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let all = ListContainersOptions { all: true, filters: Self::of_fakes(), ..Default::default() };
        let found = self.docker.list_containers(Some(all)).await?;
        Ok(found.into_iter().filter_map(|seen| Some((seen.id?, seen.labels?.remove(LABEL)?))).collect())
    }

    async fn images(&self) -> anyhow::Result<Vec<(String, String)>> {
        let all = ListImagesOptions { all: true, filters: Self::of_fakes(), ..Default::default() };
        let found = self.docker.list_images(Some(all)).await?;
        Ok(found.into_iter().filter_map(|mut seen| Some((seen.id, seen.labels.remove(LABEL)?))).collect())
    }

    /// The containers of this fake.
    pub(super) async fn left(&self) -> anyhow::Result<Vec<String>> {
        let all = self.containers().await?;
        Ok(all.into_iter().filter(|(_, mark)| *mark == self.mark).map(|(id, _)| id).collect())
    }

    async fn remove(&self, id: &str) -> anyhow::Result<()> {
        let force = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
        match self.docker.remove_container(id, Some(force)).await {
            Err(error) if status(&error) == Some(404) => Ok(()),
            // Somebody else removes it at this moment.
            Err(error) if status(&error) == Some(409) => Ok(()),
            done => Ok(done?),
        }
    }

    /// The engine's image for an image of Vercel's registry; `None` when there is none.
    pub(super) async fn image_of(&self, name: &str) -> anyhow::Result<Option<String>> {
        match name {
            IMAGE => Ok(Some(image())),
            // A system without an agent server.
            "vercel/sandbox/universal:latest" => {
                let seen = self.docker.inspect_image(&image()).await?;
                let base = seen.config.and_then(|config| config.labels?.remove("agcluster.image.base"));
                Ok(Some(base.context("the agent image does not say what it was built on")?))
            }
            _ => Ok(None),
        }
    }

    /// A container that waits for commands.
    pub(super) async fn boot(&self, image: &str, vcpus: u64) -> anyhow::Result<Container> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["/bin/sleep".to_owned()]),
            cmd: Some(vec!["infinity".to_owned()]),
            working_dir: Some(CWD.to_owned()),
            labels: Some(HashMap::from([(LABEL.to_owned(), self.mark.clone())])),
            host_config: Some(HostConfig {
                init: Some(true),
                memory: i64::try_from(vcpus * (2 << 30)).ok(),
                extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let id = self.docker.create_container(None, body).await?.id;
        let up = async {
            self.docker.start_container(&id, None).await?;
            let seen = self.docker.inspect_container(&id, None).await?;
            let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
            let ip =
                networks.into_values().find_map(|network| network.ip_address.filter(|ip| !ip.is_empty()));
            let machine =
                Container { docker: self.docker.clone(), id: id.clone(), ip: ip.context("no address")? };
            let made = machine.run(true, &["chown", USER, "/vercel", CWD]).await?;
            if made.0 != 0 {
                bail!("the folder of the sandbox's user: {made:?}");
            }
            Ok(machine)
        };
        match up.await {
            Ok(machine) => Ok(machine),
            Err(error) => {
                self.remove(&id).await?;
                Err(error)
            }
        }
    }

    pub(super) async fn end(&self, machine: &Container) -> anyhow::Result<()> {
        self.remove(&machine.id).await
    }

    /// An image of a container's files. What runs in it is killed before: a machine that is saved ends anyway, and an engine
    /// that freezes a container while a command starts in it may never thaw it.
    pub(super) async fn save(&self, machine: &Container) -> anyhow::Result<String> {
        match self.docker.kill_container(&machine.id, None).await {
            // It stands still already.
            Err(error) if status(&error) == Some(409) => {}
            done => done?,
        }
        let options = CommitContainerOptionsBuilder::new().container(&machine.id).pause(false).build();
        Ok(self.docker.commit_container(options, ContainerConfig::default()).await?.id)
    }
}

impl Container {
    /// Starts a command as Vercel's user, or as root.
    pub(super) async fn start(
        &self,
        sudo: bool,
        cwd: &str,
        env: Vec<String>,
        command: Vec<String>,
    ) -> anyhow::Result<Execution> {
        let config = CreateExecOptions {
            cmd: Some(command),
            env: Some(env),
            user: Some(if sudo { ROOT } else { USER }.to_owned()),
            working_dir: Some(cwd.to_owned()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(&self.id, config).await?.id;
        match self.docker.start_exec(&exec, None).await? {
            StartExecResults::Attached { output, .. } => {
                Ok(Execution { id: exec, output: output.map(piece).boxed() })
            }
            StartExecResults::Detached => bail!("the engine gave no output"),
        }
    }

    /// The exit code of a command whose output has ended; `None` when its container is gone.
    pub(super) async fn exit_code(&self, execution: &str) -> Option<i64> {
        self.docker.inspect_exec(execution).await.ok()?.exit_code
    }

    /// Runs a command to its end: exit code and output.
    pub(super) async fn run(&self, sudo: bool, command: &[&str]) -> anyhow::Result<(i64, Vec<u8>)> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let mut execution = self.start(sudo, "/", Vec::new(), command).await?;
        let mut output = Vec::new();
        while let Some(piece) = execution.output.next().await {
            if let Output::Stdout(bytes) = piece? {
                output.extend_from_slice(&bytes);
            }
        }
        Ok((self.exit_code(&execution.id).await.context("the container is gone")?, output))
    }

    /// Puts a tar archive into the container, as root.
    pub(super) async fn upload(&self, folder: &str, tar: Bytes) -> anyhow::Result<()> {
        let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
        Ok(self.docker.upload_to_container(&self.id, Some(options), bollard::body_full(tar)).await?)
    }
}

fn piece(output: Result<LogOutput, bollard::errors::Error>) -> anyhow::Result<Output> {
    Ok(match output? {
        LogOutput::StdErr { message } => Output::Stderr(message),
        other => Output::Stdout(other.into_bytes()),
    })
}

fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
