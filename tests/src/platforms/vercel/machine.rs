//! A session's machine: a Docker container, or a task of this process.

mod containers;
mod tasks;

use anyhow::bail;
use bytes::Bytes;
use futures::stream::BoxStream;

use containers::{Container, Containers};
use tasks::Task;

/// The folder of the sandbox's own user.
pub(super) const CWD: &str = "/vercel/sandbox";

/// What makes machines.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    Containers(Containers),
    Tasks,
}

/// One machine.
#[derive(Debug, Clone)]
pub(super) enum Machine {
    Container(Container),
    Task(Task),
}

/// A command that runs in a machine.
pub(super) struct Execution {
    pub(super) id: String,
    pub(super) output: BoxStream<'static, anyhow::Result<Output>>,
}

/// A piece of what a command writes.
#[derive(Debug)]
pub(super) enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
}

impl Engine {
    /// Docker, without what processes that are gone have left.
    pub(super) async fn docker() -> anyhow::Result<Self> {
        Ok(Self::Containers(Containers::connect().await?))
    }

    /// Removes everything of this fake.
    pub(super) async fn remove_all(&self) -> anyhow::Result<()> {
        match self {
            Self::Containers(containers) => containers.remove_all().await,
            Self::Tasks => Ok(()),
        }
    }

    /// The containers of this fake.
    pub(super) async fn left(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Containers(containers) => containers.left().await,
            Self::Tasks => Ok(Vec::new()),
        }
    }

    /// What a machine is made of for an image of Vercel's registry; `None` when there is none.
    pub(super) async fn image_of(&self, name: &str) -> anyhow::Result<Option<String>> {
        match self {
            Self::Containers(containers) => containers.image_of(name).await,
            Self::Tasks => Ok((name == super::IMAGE).then(|| name.to_owned())),
        }
    }

    /// A machine that waits for commands.
    pub(super) async fn boot(&self, image: &str, vcpus: u64) -> anyhow::Result<Machine> {
        Ok(match self {
            Self::Containers(containers) => Machine::Container(containers.boot(image, vcpus).await?),
            Self::Tasks => Machine::Task(Task::boot().await?),
        })
    }

    pub(super) async fn end(&self, machine: &Machine) -> anyhow::Result<()> {
        match (self, machine) {
            (Self::Containers(containers), Machine::Container(container)) => containers.end(container).await,
            (_, Machine::Task(task)) => {
                task.end();
                Ok(())
            }
            (Self::Tasks, Machine::Container(_)) => bail!("a container among tasks"),
        }
    }

    /// An image of a machine's files.
    pub(super) async fn save(&self, machine: &Machine) -> anyhow::Result<String> {
        match (self, machine) {
            (Self::Containers(containers), Machine::Container(container)) => containers.save(container).await,
            // There are none.
            _ => Ok(super::IMAGE.to_owned()),
        }
    }
}

impl Machine {
    /// Where a port of it is reached.
    pub(super) fn at(&self, port: u64) -> String {
        match self {
            Self::Container(container) => format!("{}:{port}", container.ip),
            Self::Task(task) => task.address(),
        }
    }

    /// Starts a command as Vercel's user, or as root.
    pub(super) async fn start(
        &self,
        sudo: bool,
        cwd: &str,
        env: Vec<String>,
        command: Vec<String>,
    ) -> anyhow::Result<Execution> {
        match self {
            Self::Container(container) => container.start(sudo, cwd, env, command).await,
            Self::Task(task) => task.start(&env).await,
        }
    }

    /// The exit code of a command whose output has ended; `None` when its machine is gone.
    pub(super) async fn exit_code(&self, execution: &str) -> Option<i64> {
        match self {
            Self::Container(container) => container.exit_code(execution).await,
            Self::Task(task) => task.exit_code(),
        }
    }

    /// Runs a command to its end: exit code and output.
    pub(super) async fn run(&self, sudo: bool, command: &[&str]) -> anyhow::Result<(i64, Vec<u8>)> {
        match self {
            Self::Container(container) => container.run(sudo, command).await,
            Self::Task(task) => task.run(command).await,
        }
    }

    /// Puts a tar archive into the machine, as root.
    pub(super) async fn upload(&self, folder: &str, tar: Bytes) -> anyhow::Result<()> {
        match self {
            Self::Container(container) => container.upload(folder, tar).await,
            Self::Task(_) => bail!("a task has no files"),
        }
    }
}
