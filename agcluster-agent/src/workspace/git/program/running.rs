//! A command that runs.

use std::io;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::OwnedSemaphorePermit;

use crate::program::{ProcessTree, Tail};

/// A command that runs. Dropping it kills it, with whatever it has started.
#[derive(Debug)]
pub(in super::super) struct Running {
    child: Child,
    pid: Pid,
    tree: Arc<ProcessTree>,
    pub(in super::super) stdin: Option<ChildStdin>,
    pub(in super::super) stdout: Option<ChildStdout>,
    stderr: Option<Tail>,
    ended: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Running {
    pub(super) fn spawn(
        command: &mut Command,
        tree: Arc<ProcessTree>,
        place: Option<OwnedSemaphorePermit>,
    ) -> io::Result<Self> {
        command.process_group(0).kill_on_drop(true);
        let (mut child, pid) = tree.spawn(command)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().map(Tail::follow);
        Ok(Self { child, pid, tree, stdin, stdout, stderr, ended: false, _place: place })
    }

    /// Kills it, with whatever it has started.
    pub(in super::super) fn kill(&mut self) {
        // It fails when all of it is gone already.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    /// Waits for its end: whether it did what it was told, and the last of what it complained about.
    pub(in super::super) async fn end(mut self) -> (bool, String) {
        let status = self.child.wait().await;
        self.ended = true;
        let stderr = match self.stderr.take() {
            Some(stderr) => stderr.take().await,
            None => String::new(),
        };
        (status.is_ok_and(|status| status.success()), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
        self.tree.gone(self.pid);
    }
}
