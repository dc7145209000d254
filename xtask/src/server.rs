//! Making and running the server.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::announce;
use crate::environment::{claude, engine};
use crate::image::{self, Order};
use crate::workspace;

/// Name of the server's program.
pub(crate) const NAME: &str = "agcluster-server";
/// Name of the agent server's program.
const AGENT: &str = "agcluster-agent";

/// Makes what is missing and becomes the server.
///
/// # Errors
/// When something is missing or does not build. On success this does not return.
pub(crate) fn up(arguments: &[String]) -> Result<()> {
    let needs = Needs::require()?;
    announce("Building and starting the server");
    let mut server = needs.build(&[])?.command(NAME)?;
    // It takes this program's place, so that signals reach it and its end is the end.
    Err(server.args(arguments).exec().into())
}

/// What the server needs besides itself.
#[derive(Default)]
pub(crate) struct Needs {
    /// A program of this workspace that it looks for beside itself.
    beside: Option<&'static str>,
    /// A program that it looks for in its `PATH`.
    found: Option<PathBuf>,
}

impl Needs {
    /// Makes sure that everything but programs of this workspace is there.
    ///
    /// # Errors
    /// Says what to install.
    pub(crate) fn require() -> Result<Self> {
        match std::env::var("CONTAINER_PROVIDER").as_deref() {
            Ok("process") => return Ok(Self { beside: Some(AGENT), found: Some(claude::require()?) }),
            Ok("memory") => {}
            // Somebody who names an image of their own brings it.
            _ if std::env::var_os("AGENT_IMAGE").is_some() => engine::require()?,
            _ => drop(image::build(&Order::default())?),
        }
        Ok(Self::default())
    }

    /// Builds the server, what it looks for beside itself, and `others`.
    ///
    /// # Errors
    /// When one does not build.
    pub(crate) fn build(self, others: &[&str]) -> Result<Built> {
        let programs: Vec<&str> = others.iter().copied().chain([NAME]).chain(self.beside).collect();
        Ok(Built { folder: workspace::build(&programs)?, found: self.found })
    }
}

/// The programs, built.
pub(crate) struct Built {
    folder: PathBuf,
    found: Option<PathBuf>,
}

impl Built {
    /// What an earlier build has left.
    ///
    /// # Errors
    /// When cargo does not say where.
    pub(crate) fn before() -> Result<Self> {
        Ok(Self { folder: workspace::programs()?, found: None })
    }

    /// A command that runs one of them in the workspace's root.
    ///
    /// # Errors
    /// When a folder's name cannot stand in a `PATH`.
    pub(crate) fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(workspace::root());
        if let Some(folder) = self.found.as_deref().and_then(std::path::Path::parent) {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = [folder.to_path_buf()].into_iter().chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders).context("a folder's name has a colon")?);
        }
        Ok(command)
    }
}
