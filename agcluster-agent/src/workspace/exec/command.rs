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
use tokio::sync::SetOnce;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::output::Output;
use crate::http::Refusal;
use crate::program::ProcessTree;
use crate::workspace::{WorkspaceConfig, exit_of, surroundings};

/// The most output in one frame.
const PIECE: usize = 16 * 1024;
/// The longest that is waited for more after a command has ended, when something it started holds its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What is read on of what is there then: as much as a pipe holds at the most, where it has not been made larger by root.
const LAST_BYTES: usize = 1 << 20;

/// A command that runs. However it ends, its process group is gone when it was not its own end.
pub(super) struct Command {
    tree: Arc<ProcessTree>,
    child: Child,
    pid: Pid,
    begun: Instant,
    input: Option<(ChildStdin, Vec<u8>)>,
    output: (ChildStdout, ChildStderr),
    /// When it ended by itself.
    ended: SetOnce<Instant>,
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
        let ended = SetOnce::new();
        Ok(Self { tree, child, pid, begun: Instant::now(), input, output: (stdout, stderr), ended })
    }

    /// Sends what comes from it, and how it ended. It is killed with its process group, and with what it has started, when
    /// its time is up, when nobody reads on, or when `closing` says so.
    pub(super) async fn attend(mut self, limit: Duration, output: Output, closing: CancellationToken) {
        let deadline = self.begun + limit;
        let end = tokio::select! {
            end = self.listen(&output, deadline) => end,
            () = output.unwanted() => End::Unwanted,
            () = closing.cancelled() => End::Unwanted,
        };
        let timed_out = matches!(end, End::Overdue);
        let exit = match end {
            End::Own(status) => exit_of(status),
            End::Overdue | End::Unwanted => self.kill().await,
        };
        self.tree.gone(self.pid);
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        output.end(ExecFrame::Exited { exit, timed_out, duration_ms }).await;
    }

    /// Carries its output until it has ended and its output is closed.
    async fn listen(&mut self, to: &Output, deadline: Instant) -> End {
        let Self { child, input, output: (stdout, stderr), ended, .. } = self;
        let ended = &*ended;
        let feed = async {
            if let Some((mut stdin, bytes)) = input.take() {
                // A command need not read its input.
                let _ = stdin.write_all(&bytes).await;
            }
        };
        let output = async {
            tokio::join!(
                carry(stdout, to, ended, |data| ExecFrame::Stdout { data }),
                carry(stderr, to, ended, |data| ExecFrame::Stderr { data }),
            )
        };
        tokio::pin!(feed, output);
        let (mut fed, mut open, mut status) = (false, true, None);
        while open || status.is_none() {
            tokio::select! {
                () = &mut feed, if !fed => fed = true,
                _ = &mut output, if open => open = false,
                exit = child.wait(), if status.is_none() => match exit {
                    Ok(exit) => {
                        status = Some(exit);
                        let _ = ended.set(Instant::now());
                    }
                    Err(_) => return End::Unwanted,
                },
                // How long its output is read for is another matter.
                () = tokio::time::sleep_until(deadline), if status.is_none() => return End::Overdue,
            }
        }
        status.map_or(End::Unwanted, End::Own)
    }

    async fn kill(&mut self) -> Exit {
        self.tree.kill(self.pid);
        self.child.wait().await.map(exit_of).unwrap_or_default()
    }
}

/// Sends what comes from a stream until it is closed, or nobody wants it. No piece ends within a character, so that each can be
/// read without those before it.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &Output,
    ended: &SetOnce<Instant>,
    frame: impl Fn(Data) -> ExecFrame,
) {
    let (mut piece, mut held, mut last_bytes) = (vec![0; PIECE], 0, LAST_BYTES);
    loop {
        let read = tokio::select! {
            biased;
            // What is there is read, however long it had to wait for whoever reads this.
            read = from.read(&mut piece[held..]) => read,
            () = over(ended) => break,
        };
        let Ok(length @ 1..) = read else { break };
        if ended.get().is_some_and(|ended| ended.elapsed() > LAST_WORDS) {
            let Some(left) = last_bytes.checked_sub(length) else { break };
            last_bytes = left;
        }
        let length = held + length;
        let whole = length - cut_character(&piece[..length]);
        if whole > 0 && !to.send(frame(Data(piece[..whole].to_vec()))).await {
            return;
        }
        piece.copy_within(whole..length, 0);
        held = length - whole;
    }
    if held > 0 {
        to.send(frame(Data(piece[..held].to_vec()))).await;
    }
}

/// Comes when whoever holds the output open is not the command any more.
async fn over(ended: &SetOnce<Instant>) {
    tokio::time::sleep_until(*ended.wait().await + LAST_WORDS).await;
}

/// How many bytes at the end are the beginning of a character.
fn cut_character(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(3)..];
    // What begins in the middle of one is wrong at its beginning, and right or cut behind that.
    let cut = |begin: &usize| {
        last[*begin] >= 0xc0
            && std::str::from_utf8(&last[*begin..]).is_err_and(|error| error.error_len().is_none())
    };
    (0..last.len()).find(cut).map_or(0, |begin| last.len() - begin)
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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_reader_that_comes_long_after_the_end_gets_everything_and_the_end_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["head", "-c", "60000", "/dev/zero"].map(str::to_owned).to_vec();
        let exec = Exec { command: words, ..Exec::default() };
        let config = WorkspaceConfig::new(folder.path());
        let command = Command::start(exec, &config, ProcessTree::new(false)).unwrap();
        let ended = Path::new("/proc").join(command.pid.as_raw_nonzero().to_string());
        let (to, mut frames) = mpsc::channel(1);
        let limit = 2 * LAST_WORDS;
        let attending = tokio::spawn(command.attend(limit, Output::Read(to), CancellationToken::new()));
        // Reaped, and then both times are over.
        while ended.exists() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(2 * limit).await;
        let mut bytes = 0;
        let mut last = None;
        while let Some(frame) = frames.recv().await {
            match frame {
                ExecFrame::Stdout { data } => bytes += data.0.len(),
                other => last = Some(other),
            }
        }
        attending.await.unwrap();
        assert_eq!(bytes, 60_000);
        let Some(ExecFrame::Exited { exit, timed_out: false, .. }) = last else { panic!("{last:?}") };
        assert_eq!(exit.code, Some(0));
    }

    #[test]
    fn what_is_cut_off_of_a_character_is_held() {
        for (bytes, held) in [
            (&b""[..], 0),
            (b"abc", 0),
            ("a\u{e9}".as_bytes(), 0),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 2),
            (b"\xf0\x9f\x98", 3),
            ("\u{1f600}".as_bytes(), 0),
            (b"a\x82\x82", 0),
            (b"\xff", 0),
            (b"\xe2\x28", 0),
            (b"\xe2\x28\xc3", 1),
        ] {
            assert_eq!(cut_character(bytes), held, "{bytes:x?}");
        }
    }
}
