//! The `workspace` command: files, git, terminals and commands as the agent's user, served to the agent server.

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use agcluster_agent::workspace::{WorkspaceConfig, router};
use rustix::process::{Signal, getpid, set_child_subreaper, set_parent_process_death_signal};

use crate::Failure;

/// Serves on the socket that is the standard input, until the agent server is gone.
pub(crate) fn run(root: &Path, home: Option<PathBuf>) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::system(format!("the end of the agent server cannot be heard: {error}")))?;
    // What people's programs leave behind stays below this process, where the agent server knows whose it is.
    set_child_subreaper(Some(getpid()))
        .map_err(|error| Failure::system(format!("orphaned processes cannot be adopted: {error}")))?;
    let unusable = |error| Failure::system(format!("standard input is no socket to listen on: {error}"));
    let listener = std::io::stdin().as_fd().try_clone_to_owned().map_err(unusable)?;
    let listener = UnixListener::from(listener);
    listener.set_nonblocking(true).map_err(unusable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::system(format!("no threads: {error}")))?;
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener).map_err(unusable)?;
        let mut config = WorkspaceConfig::new(root);
        config.home = home;
        config.own_process = true;
        axum::serve(listener, router(config))
            .await
            .map_err(|error| Failure::system(format!("the workspace cannot be served: {error}")))
    })
}
