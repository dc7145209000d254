//! A Docker engine that answers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::daemon;
use super::packages::{self, Package};
use crate::command::{self, announce};
use crate::docker::docker;

const CLIENT: Package = Package { program: "docker", package: "docker.io" };
const ENGINE: Package = Package { program: "dockerd", package: "docker.io" };
/// Debian 13 moved the client out of `docker.io`.
const SEPARATE_CLIENT: Package = Package { program: "docker", package: "docker-cli" };

const ADVICE: &str = "Install and start a Docker engine (on Debian: sudo apt-get install docker.io), \
    or set DOCKER_HOST to one that runs.";

/// Makes sure that a Docker engine answers; as root on Debian it is installed and started.
///
/// # Errors
/// Says what to do when there is none and this may not start one.
pub(crate) fn require() -> Result<()> {
    if answers() {
        return Ok(());
    }
    if let Some(place) = chosen_elsewhere() {
        bail!("No Docker engine answers at {place}: start it, or choose another one.");
    }
    if !packages::may_install() {
        if command::find(CLIENT.program).is_some() && !rustix::process::geteuid().is_root() {
            bail!(
                "No Docker engine answers this user: start it (sudo systemctl start docker), or join the group docker."
            );
        }
        bail!("{ADVICE}");
    }
    packages::require(&[ENGINE])?;
    packages::require(&[if command::find(CLIENT.program).is_some() { CLIENT } else { SEPARATE_CLIENT }])?;
    if answers() {
        return Ok(());
    }
    announce("Starting the Docker engine");
    if Path::new("/run/systemd/system").exists() {
        command::run(Command::new("systemctl").args(["start", "docker"]))?;
        return answers().then_some(()).context(ADVICE);
    }
    daemon::start(answers)
}

/// Whether the engine that the docker program finds answers.
fn answers() -> bool {
    command::find(CLIENT.program).is_some()
        && command::succeeds_within(
            docker().args(["version", "--format", "{{.Server.Version}}"]),
            Duration::from_secs(20),
        )
}

/// An engine that somebody chose on purpose, which is not ours to start.
fn chosen_elsewhere() -> Option<String> {
    if let Some(host) = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return Some(host);
    }
    let context = command::output(docker().args(["context", "show"])).ok()?;
    (context != "default").then(|| format!("the context {context}"))
}
