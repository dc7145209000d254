//! Measuring: the benchmark is a program of its own, built with optimisation.

use anyhow::Result;

use crate::image::{self, Order};
use crate::{command, workspace};

/// Runs the benchmark, which is a program of its own.
///
/// # Errors
/// When something it needs is missing, or it fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let programs = image::build(&Order::default())?;
    let mut cargo = workspace::cargo();
    cargo.envs(programs.environment());
    cargo.args(["run", "--locked", "--release", "--package", "agcluster-tests", "--bin", "bench", "--"]);
    command::run(cargo.args(arguments))
}
