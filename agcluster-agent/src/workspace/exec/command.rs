//! One command.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace::{
    COMMAND_NOT_FOUND, Data, Exec, ExecFrame, Exit, FORBIDDEN, NOT_FOUND, TOO_LARGE, WRONG_TYPE,
};
use rustix::io::Errno;
use rustix::process::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::Refusal;
use crate::program::ProcessTree;
use crate::workspace::{WorkspaceConfig, exit_of, surroundings};

/// The most output in one frame.
const PIECE: usize = 16 * 1024;
/// The longest that is read on after a command has ended, when something it started holds its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A command that runs. However it ends, its process group is gone when it was not its own end.
pub(super) struct Command {
    tree: Arc<ProcessTree>,
    child: Child,
    pid: Pid,
    begun: Instant,
    input: Option<(ChildStdin, Vec<u8>)>,
    output: (ChildStdout, ChildStderr),
}

/// Why a command is not listened to any more.
enum End {
    Own(ExitStatus),
    /// Its time is up, or its streams broke.
    Overdue,
    /// Nobody reads what comes from it.
    Unwanted,
}

impl Command {
    pub(super) fn start(
        exec: Exec,
        config: &WorkspaceConfig,
        tree: Arc<ProcessTree>,
    ) -> Result<Self, Refusal> {
        let directory = config.root.join(exec.cwd.as_deref().unwrap_or_default());
        check_folder(&directory)?;
        // There is a first: it was checked.
        let program = exec.command.first().map(String::as_str).unwrap_or_default();
        let mut command = tokio::process::Command::new(program);
        command
            .args(exec.command.iter().skip(1))
            .env_clear()
            .envs(surroundings::environment(config))
            .env("TERM", "dumb")
            .envs(exec.env.iter().map(|(name, value)| (name, value.expose())))
            .current_dir(&directory)
            .stdin(if exec.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let (mut child, pid) =
            tree.spawn_apart(|| command.spawn()).map_err(|error| not_started(program, &error))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(not_started(program, &io::Error::other("it has no output")));
        };
        let input = child.stdin.take().zip(exec.stdin.map(|Data(bytes)| bytes));
        Ok(Self { tree, child, pid, begun: Instant::now(), input, output: (stdout, stderr) })
    }

    /// Sends what comes from it, and how it ended. It is killed with its process group, and with what it has started, when
    /// its time is up, when nobody reads on, or when `closing` says so.
    pub(super) async fn attend(
        mut self,
        limit: Duration,
        frames: mpsc::Sender<ExecFrame>,
        closing: CancellationToken,
    ) {
        let deadline = self.begun + limit;
        let end = tokio::select! {
            end = self.listen(&frames) => end,
            () = tokio::time::sleep_until(deadline) => End::Overdue,
            () = frames.closed() => End::Unwanted,
            () = closing.cancelled() => End::Unwanted,
        };
        let timed_out = matches!(end, End::Overdue);
        let exit = match end {
            End::Own(status) => exit_of(status),
            End::Overdue | End::Unwanted => self.kill().await,
        };
        self.tree.gone(self.pid);
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Whoever does not read on does not want to know.
        let _ = frames.send(ExecFrame::Exited { exit, timed_out, duration_ms }).await;
    }

    /// Carries its output until it has ended and its output is closed.
    async fn listen(&mut self, frames: &mpsc::Sender<ExecFrame>) -> End {
        let Self { child, input, output: (stdout, stderr), .. } = self;
        let feed = async {
            if let Some((mut stdin, bytes)) = input.take() {
                // A command need not read its input.
                let _ = stdin.write_all(&bytes).await;
            }
        };
        let output = async {
            tokio::join!(
                carry(stdout, frames, |data| ExecFrame::Stdout { data }),
                carry(stderr, frames, |data| ExecFrame::Stderr { data }),
            )
        };
        tokio::pin!(feed, output);
        let (mut fed, mut open, mut status) = (false, true, None);
        while open || status.is_none() {
            tokio::select! {
                () = &mut feed, if !fed => fed = true,
                _ = &mut output, if open => open = false,
                ended = child.wait(), if status.is_none() => match ended {
                    Ok(ended) => status = Some(ended),
                    Err(_) => return End::Unwanted,
                },
                // Whoever holds the output open now is not the command.
                () = tokio::time::sleep(LAST_WORDS), if status.is_some() => open = false,
            }
        }
        status.map_or(End::Unwanted, End::Own)
    }

    async fn kill(&mut self) -> Exit {
        self.tree.kill(self.pid);
        self.child.wait().await.map(exit_of).unwrap_or_default()
    }
}

/// Sends what comes from a stream until it is closed, or nobody wants it.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    frames: &mpsc::Sender<ExecFrame>,
    frame: impl Fn(Data) -> ExecFrame,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        if frames.send(frame(Data(piece[..length].to_vec()))).await.is_err() {
            return;
        }
    }
}

fn check_folder(folder: &Path) -> Result<(), Refusal> {
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Refusal::new(WRONG_TYPE, "cwd is no folder: name the folder to start in")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Refusal::new(FORBIDDEN, "the agent's user may not enter cwd: name another folder"))
        }
        Err(_) => Err(Refusal::new(NOT_FOUND, "cwd is not there: make the folder first, or name another")),
    }
}

fn not_started(program: &str, error: &io::Error) -> Refusal {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ACCESS) => {
            Refusal::new(FORBIDDEN, format!("the agent's user may not run {program:?}: make it executable"))
        }
        Some(Errno::TOOBIG) => Refusal::new(TOO_LARGE, "the command is too long: give it on standard input"),
        _ => {
            let detail = format!("{program:?} cannot be run ({error}): name a program of the container");
            Refusal::new(COMMAND_NOT_FOUND, detail)
        }
    }
}
