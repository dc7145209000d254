//! The programs that agents and tests need, and how others are told where they are.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::agent;
use crate::environment::claude;

/// Paths on this machine.
pub(crate) struct Programs {
    /// The static agent server.
    pub(crate) agent: PathBuf,
    /// The Claude program.
    pub(crate) claude: PathBuf,
    /// A Python with the packages that tests use, where they are run.
    pub(crate) python: Option<PathBuf>,
}

impl Programs {
    /// Both, built or fetched when they are not there.
    ///
    /// # Errors
    /// Says what to install when one cannot be had.
    pub(crate) fn require() -> Result<Self> {
        // What is fetched first: a machine that lacks something says so before it compiles for minutes.
        let claude = claude::require()?;
        Ok(Self { agent: agent::build()?, claude, python: None })
    }

    /// The environment in which tests and benchmarks look for them.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let python = self.python.as_deref().map(|python| ("AGCLUSTER_PYTHON", python));
        let both = [("AGCLUSTER_AGENT_BINARY", &*self.agent), ("AGCLUSTER_CLAUDE", &*self.claude)];
        both.into_iter().chain(python)
    }
}
