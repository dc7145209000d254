//! A shell on a pseudo-terminal.

use std::io;
use std::path::PathBuf;

use agcluster_protocol::workspace::{TERMINAL_UNAVAILABLE, TerminalSize};
use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use rustix::process::Pid;
use tokio::process::Child;

use crate::http::Refusal;
use crate::program::ProcessTree;
use crate::workspace::{WorkspaceConfig, surroundings};

/// A shell that has just been started.
pub(super) struct Shell {
    pub(super) program: PathBuf,
    pub(super) child: Child,
    /// The leader of its session.
    pub(super) pid: Pid,
    pub(super) output: OwnedReadPty,
    pub(super) input: OwnedWritePty,
}

impl Shell {
    /// Starts the shell of the image in the workspace.
    pub(super) fn start(
        config: &WorkspaceConfig,
        tree: &ProcessTree,
        size: TerminalSize,
    ) -> Result<Self, Refusal> {
        let program = surroundings::shell().ok_or_else(|| {
            let detail = "there is no shell in the container: name one with TERMINAL_SHELL in its image";
            Refusal::new(TERMINAL_UNAVAILABLE, detail)
        })?;
        Self::spawn(program, config, tree, size).map_err(|error| {
            let detail = format!("no terminal can be made in the container: {error}");
            Refusal::new(TERMINAL_UNAVAILABLE, detail)
        })
    }

    fn spawn(
        program: PathBuf,
        config: &WorkspaceConfig,
        tree: &ProcessTree,
        size: TerminalSize,
    ) -> io::Result<Self> {
        let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
        pty.resize(dimensions(size)).map_err(io::Error::other)?;
        let mut command = tokio::process::Command::new(&program);
        command
            .env_clear()
            .envs(surroundings::environment(config))
            .env("SHELL", &program)
            .env("TERM", "xterm-256color")
            .current_dir(&config.root)
            .kill_on_drop(true);
        let command = pty_process::Command::from(command);
        let (child, pid) = tree.spawn_apart(|| command.spawn(pts).map_err(io::Error::other))?;
        let (output, input) = pty.into_split();
        Ok(Self { program, child, pid, output, input })
    }
}

/// The size of a window, as the system has it.
pub(super) fn dimensions(size: TerminalSize) -> Size {
    Size::new(size.rows, size.cols)
}
