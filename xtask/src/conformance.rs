//! The behaviour suite on chosen providers: a program of the tests, which this command prepares and runs.

use std::process::Command;

use anyhow::Result;

use crate::command::{self, announce};
use crate::image::{self, Order};
use crate::workspace;

const NAME: &str = "conformance";

/// Makes what is missing and runs the suite.
///
/// # Errors
/// When something it needs is missing, or a case fails.
pub(crate) fn run(platforms: &[String]) -> Result<()> {
    let programs = image::build(&Order::default())?;
    announce("Building the behaviour suite");
    let folder = workspace::build(&[NAME])?;
    let mut suite = Command::new(folder.join(NAME));
    command::run(suite.envs(programs.environment()).args(platforms).current_dir(workspace::root()))
}
