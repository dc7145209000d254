//! The two programs that every agent needs, and how others are told where they are.

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
}

impl Programs {
    /// Both, built or fetched when they are not there.
    ///
    /// # Errors
    /// Says what to install when one cannot be had.
    pub(crate) fn require() -> Result<Self> {
        // What is fetched first: a machine that lacks something says so before it compiles for minutes.
        let claude = claude::require()?;
        Ok(Self { agent: agent::build()?, claude })
    }

    /// The environment in which tests and benchmarks look for them.
    pub(crate) fn environment(&self) -> [(&'static str, &Path); 2] {
        [("AGCLUSTER_AGENT_BINARY", &self.agent), ("AGCLUSTER_CLAUDE", &self.claude)]
    }
}
