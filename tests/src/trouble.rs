//! What befalls an installation from outside: containers and programs that are killed or stand still, networks that are cut,
//! databases that cannot be written.

use std::io::Write;
use std::path::{Path, PathBuf};

use agcluster_core::provider::{ContainerId, ContainerState, ErrorKind, ExecOptions, ListFilter};
use anyhow::{Context, Result, ensure};
use bollard::Docker;
use bollard::models::{NetworkConnectRequest, NetworkDisconnectRequest};
use bollard::query_parameters::KillContainerOptions;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use crate::system::{Installation, Provider};

/// Kills the Claude program, as the user that it runs as.
const KILL_CLAUDE: &str = r#"for p in /proc/[0-9]*; do case "$(readlink "$p/exe")" in */claude) kill -9 "${p#/proc/}" && exit 0 ;; esac; done; exit 1"#;

/// The newest container of a session, as the platform names it.
///
/// # Errors
/// When there is none, or the platform does not say.
pub async fn container(installation: &Installation, session: &str) -> Result<ContainerId> {
    let filter =
        ListFilter { cluster: Some(installation.cluster().to_owned()), session: Some(session.to_owned()) };
    let found = installation.platform().await?.list(filter).await?;
    let found = found.into_iter().filter(|container| container.state != ContainerState::Remains);
    let newest = found.max_by_key(|container| container.labels.generation);
    Ok(newest.with_context(|| format!("{session} has no container"))?.id)
}

/// Sends a signal to the agent server of a container, as nobody inside can: it is killed or stands still with all it does.
///
/// # Errors
/// When there is no such process.
pub async fn signal(installation: &Installation, container: &ContainerId, signal: Signal) -> Result<()> {
    if installation.provider() == Provider::Docker {
        let options = KillContainerOptions { signal: signal.as_raw().to_string() };
        return Ok(docker().await?.kill_container(&container.0, Some(options)).await?);
    }
    let records = installation.state_folder().context("no state folder")?.join("records");
    let record: Value =
        serde_json::from_slice(&std::fs::read(records.join(format!("{}.json", container.0)))?)?;
    let pid = record["process"]["pid"].as_i64().with_context(|| format!("no process: {record}"))?;
    kill_process(Pid::from_raw(i32::try_from(pid)?).context("no process")?, signal)?;
    Ok(())
}

/// Kills the Claude program in a container; `false` when none runs there.
///
/// # Errors
/// When the container cannot be reached.
pub async fn kill_claude(installation: &Installation, container: &ContainerId) -> Result<bool> {
    let kill = ExecOptions::new(["/bin/sh", "-c", KILL_CLAUDE]);
    match installation.platform().await?.exec(container, kill).await {
        Ok(killed) => Ok(killed.exit_code == 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A Docker container that is cut from its network.
#[derive(Debug)]
pub struct CutOff {
    container: String,
    network: String,
}

impl CutOff {
    /// Cuts it off.
    ///
    /// # Errors
    /// The engine's.
    pub async fn from_network(container: &ContainerId) -> Result<Self> {
        let (docker, container) = (docker().await?, container.0.clone());
        let networks = docker.inspect_container(&container, None).await?.network_settings;
        let networks = networks.and_then(|settings| settings.networks).context("no network")?;
        let network = networks.into_keys().next().context("no network")?;
        let cut = NetworkDisconnectRequest { container: container.clone(), force: Some(true) };
        docker.disconnect_network(&network, cut).await?;
        Ok(Self { container, network })
    }

    /// Puts it back.
    ///
    /// # Errors
    /// The engine's.
    pub async fn mend(self) -> Result<()> {
        let mend = NetworkConnectRequest { container: self.container, ..NetworkConnectRequest::default() };
        Ok(docker().await?.connect_network(&self.network, mend).await?)
    }
}

async fn docker() -> Result<Docker> {
    Ok(Docker::connect_with_defaults()?.negotiate_version().await?)
}

/// A command before the server's own that gives it a disk of its own for its data: so many megabytes in memory, which end
/// with it.
pub fn small_disk(megabytes: u32) -> Vec<String> {
    let mount = format!("mount -t tmpfs -o size={megabytes}m,mode=0700 tmpfs data");
    let script = format!("mkdir -p data && {mount} && exec \"$@\"");
    let apart: &[&str] = if rustix::process::geteuid().is_root() {
        &["unshare", "--mount", "--propagation", "private"]
    } else {
        &["unshare", "--user", "--map-root-user", "--mount"]
    };
    apart.iter().copied().chain(["sh", "-c", &script, "sh"]).map(str::to_owned).collect()
}

/// Fills the server's disk to the last byte, and gives the file that is to be removed.
///
/// # Errors
/// When the disk cannot be written at all.
pub fn fill_disk(installation: &Installation) -> Result<PathBuf> {
    let path = inside(installation, "data/filler")?;
    let mut file = std::fs::File::create(&path)?;
    for size in [64 << 10, 4 << 10, 1] {
        loop {
            match file.write_all(&vec![0; size]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(path)
}

/// The server's database, locked by somebody else. On a disk of the server's own nobody else can open it.
#[derive(Debug)]
pub struct Locked(SqliteConnection);

impl Locked {
    /// Locks it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn database(installation: &Installation) -> Result<Self> {
        let file = installation.path("data/agcluster.db").display().to_string();
        let mut other = SqliteConnection::connect(&format!("sqlite://{file}")).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await?;
        Ok(Self(other))
    }

    /// Lets go of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn unlock(mut self) -> Result<()> {
        sqlx::query("ROLLBACK").execute(&mut self.0).await?;
        Ok(self.0.close().await?)
    }
}

/// A path in the server's own view of the files.
fn inside(installation: &Installation, name: &str) -> Result<PathBuf> {
    let pid = installation.pid().context("the server is gone")?;
    let path = installation.path(name);
    let seen = Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/")?);
    ensure!(seen.parent().is_some_and(Path::is_dir), "there is no {}", seen.display());
    Ok(seen)
}
