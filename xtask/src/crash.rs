//! Killing the server among working clients: a program of the tests, which this command prepares and runs.

use std::process::Command;

use anyhow::Result;

use crate::command::{self, announce};
use crate::image::{self, Order};
use crate::{server, workspace};

const NAME: &str = "crash";

/// Makes what is missing and runs it.
///
/// # Errors
/// When something it needs is missing, or something was lost, doubled or left behind.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let programs = image::build(&Order::default())?;
    announce("Building the server and its crash test");
    let folder = workspace::build(&[server::NAME, NAME])?;
    let mut crash = Command::new(folder.join(NAME));
    command::run(crash.envs(programs.environment()).args(arguments).current_dir(workspace::root()))
}
