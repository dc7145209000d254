//! Measuring: the benchmark is a program of its own, which runs the server, both built with optimisation.

use std::process::Command;

use anyhow::Result;

use crate::command::{self, announce};
use crate::environment::{packages, postgres};
use crate::image::{self, Order};
use crate::{server, workspace};

const NAME: &str = "bench";

/// Makes what is missing and runs the benchmark.
///
/// # Errors
/// When something it needs is missing, or it fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    postgres::require()?;
    let programs = image::build(&Order::default())?;
    packages::require(packages::FOR_BUILDS)?;
    announce("Building the server and the benchmark");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--release", "--package", server::NAME, "--package", "agcluster-tests"]);
    command::run(cargo.args(["--bin", server::NAME, "--bin", NAME]))?;
    // The benchmark looks for the server beside itself.
    let mut bench = Command::new(workspace::target()?.join("release").join(NAME));
    command::run(bench.envs(programs.environment()).args(arguments).current_dir(workspace::root()))
}
