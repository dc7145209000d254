//! Running the server.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;

use crate::command::announce;
use crate::environment::engine;
use crate::image::{self, Order};
use crate::programs::Programs;
use crate::workspace;

/// Name of the server's package and program.
pub(crate) const NAME: &str = "agcluster-server";

/// Makes what is missing and becomes the server.
///
/// # Errors
/// When something is missing or does not build. On success this does not return.
pub(crate) fn up(arguments: &[String]) -> Result<()> {
    prepare()?;
    announce("Building and starting the server");
    let mut server = Command::new(workspace::build(&[NAME])?.join(NAME));
    server.args(arguments).current_dir(workspace::root());
    // It takes this program's place, so that signals reach it and its end is the end.
    Err(server.exec().into())
}

/// Makes what the server needs before it can launch agents.
///
/// # Errors
/// Says what is missing.
pub(crate) fn prepare() -> Result<()> {
    match std::env::var("CONTAINER_PROVIDER").as_deref() {
        // Agents that are children of the server need the two programs, and no container.
        Ok("process") => drop(Programs::require()?),
        Ok("memory") => {}
        // Somebody who names an image of their own brings it.
        _ if std::env::var_os("AGENT_IMAGE").is_some() => engine::require()?,
        _ => drop(image::build(&Order::default())?),
    }
    Ok(())
}
