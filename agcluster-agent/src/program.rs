//! An agent program: a child process that is spoken to in lines.

mod exit;
mod heard;
mod lines;
mod proc_fs;
mod signals;
mod stderr;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

pub(crate) use exit::Exit;
pub(crate) use lines::{Line, Lines};
pub(crate) use proc_fs::own_tree;
pub(crate) use stderr::Tail;
pub(crate) use tree::ProcessTree;

use crate::AgentUser;
use crate::vitals::Pulse;
use heard::Heard;

/// Lines that may wait to be written to a program, or to be looked at.
const WAITING_LINES: usize = 256;
/// The longest that is read on after a program has ended, when something it started holds its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How to start a program.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) directory: PathBuf,
    pub(crate) user: Option<AgentUser>,
    /// Beats with its output.
    pub(crate) pulse: Arc<Pulse>,
}

/// What comes from a program.
#[derive(Debug)]
pub(crate) enum FromProgram {
    /// A line of its standard output, without the line end.
    Line(Bytes),
    /// It wrote a line that is longer than what is taken.
    LineTooLong,
    /// It has ended; nothing follows.
    Exited(Exit),
}

/// A running program. Dropping it kills it, with its process group.
#[derive(Debug)]
pub(crate) struct Program {
    pid: Pid,
    input: Option<mpsc::Sender<Bytes>>,
    output: mpsc::Receiver<FromProgram>,
    tree: Arc<ProcessTree>,
}

impl Program {
    /// Starts a program.
    pub(crate) fn spawn(launch: Launch, tree: Arc<ProcessTree>) -> io::Result<Self> {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(&launch.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(user) = launch.user {
            // For a process of root's this also drops the supplementary groups.
            command.uid(user.uid).gid(user.gid);
        }
        let (mut child, pid) = tree.spawn(&mut command)?;
        let taken = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = taken else {
            return Err(io::Error::other("the program has no standard streams"));
        };
        let (input, to_write) = mpsc::channel(WAITING_LINES);
        let (lines, output) = mpsc::channel(WAITING_LINES);
        tokio::spawn(write(stdin, to_write));
        let tail = Tail::follow(stderr);
        let stdout = Heard::new(stdout, launch.pulse);
        tokio::spawn(read(child, stdout, tail, lines, tree.clone(), pid));
        Ok(Self { pid, input: Some(input), output, tree })
    }

    /// What comes next; nothing after [`FromProgram::Exited`]. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<FromProgram> {
        self.output.recv().await
    }

    /// Writes a line, without its end. It fails when the program takes no more: it has ended, or has stopped reading
    /// while many lines wait.
    pub(crate) fn write_line(&self, line: Vec<u8>) -> Result<(), NotWritten> {
        let mut line = line;
        line.push(b'\n');
        let input = self.input.as_ref().ok_or(NotWritten)?;
        input.try_send(Bytes::from(line)).map_err(|_| NotWritten)
    }

    /// Closes its standard input.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        // It fails when the program is gone already.
        let _ = kill_process_group(self.pid, Signal::TERM);
    }

    /// Kills it, with all that it has started.
    pub(crate) fn kill(&self) {
        self.tree.kill(self.pid);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.tree.is_own(self.pid) {
            self.kill();
        }
    }
}

/// The program takes no more lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotWritten;

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Bytes>) {
    while let Some(line) = lines.recv().await {
        let written = async {
            stdin.write_all(&line).await?;
            stdin.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the agent program does not read on");
            return;
        }
    }
}

/// Passes the lines on until the program has ended and its output is closed, then tells of the end.
async fn read(
    mut child: Child,
    stdout: Heard<ChildStdout>,
    tail: Tail,
    lines: mpsc::Sender<FromProgram>,
    tree: Arc<ProcessTree>,
    pid: Pid,
) {
    let mut stdout = Lines::new(stdout);
    let mut open = true;
    let mut status = None;
    while open || status.is_none() {
        tokio::select! {
            line = stdout.next(), if open => match line {
                Ok(Some(line)) => {
                    let line = match line {
                        Line::Whole(line) => FromProgram::Line(line),
                        Line::TooLong => FromProgram::LineTooLong,
                    };
                    // When nobody wants to know any more, the program is on its way out, and waited for below.
                    open = lines.send(line).await.is_ok();
                }
                Ok(None) | Err(_) => open = false,
            },
            ended = child.wait(), if status.is_none() => status = Some(ended),
            // Whoever holds the output open now is not the program.
            () = tokio::time::sleep(LAST_WORDS), if status.is_some() => open = false,
        }
    }
    tree.gone(pid);
    let exit = Exit::new(status.and_then(Result::ok), tail.take().await);
    // Whoever is not there to hear of it has no use for it.
    let _ = lines.send(FromProgram::Exited(exit)).await;
}
