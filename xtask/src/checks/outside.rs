//! The example of a provider: a workspace of its own, as one that is made elsewhere has.

use std::fs;

use anyhow::{Context, Result};

use super::counted;
use super::totals::Totals;
use crate::programs::Programs;
use crate::workspace;

const FOLDER: &str = "agcluster-providers/examples/command_line";

/// Builds the example with this workspace's versions of everything and runs its tests, which put it through the behaviour suite.
///
/// # Errors
/// When it does not build, or a test fails.
pub(super) fn tests(programs: &Programs, totals: &mut Totals) -> Result<()> {
    let (root, folder) = (workspace::root(), workspace::root().join(FOLDER));
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    let mut cargo = workspace::cargo();
    cargo.envs(programs.environment()).arg("test").arg("--manifest-path").arg(folder.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace::target()?);
    counted(&mut cargo, totals)
}
