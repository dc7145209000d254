//! Running a command in a container until it ends, with its output in memory.

use std::pin::Pin;
use std::time::Duration;

use agcluster_core::provider::{ExecOptions, ExecOutput};
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::{Api, Failure, bounded};

/// Says its process id on the first line of standard error, then becomes the command. The engine itself cannot end a
/// command, so its id must be known.
const ANNOUNCE: &str = r#"echo "$$" >&2; exec "$@""#;
/// Ends a command and what it started.
const KILL: &str = r#"kill -KILL -- "-$1" || kill -KILL "$1""#;

/// What running a command came to.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum ExecResult {
    /// It ended.
    Ended(ExecOutput),
    /// It took too long and was killed.
    TimedOut,
    /// The container has no `/bin/sh`.
    NoShell,
}

impl Api {
    /// Runs a command as a user.
    pub(in super::super) async fn exec(
        &self,
        name: &str,
        user: &str,
        options: &ExecOptions,
    ) -> Result<ExecResult, Failure> {
        let deadline = Instant::now() + options.timeout;
        let mut output = Collected::new(options.max_output_bytes);
        // Not cut off: what is on its way to be started could not be ended.
        let mut begun = self.begin(name, user, with_shell(ANNOUNCE, &options.command)).await?;
        match tokio::time::timeout_at(deadline, self.end(&mut begun, &mut output)).await {
            Ok(exit_code) => {
                let exit_code = exit_code?;
                if output.pid().is_none() {
                    // Without the announcement it was the shell that could not be started.
                    return Ok(ExecResult::NoShell);
                }
                Ok(ExecResult::Ended(output.finish(exit_code)))
            }
            Err(_) => {
                let kill = self.kill(name, user, &mut begun, &mut output);
                match tokio::time::timeout(self.timeouts.call(), kill).await {
                    Ok(done) => done.map(|()| ExecResult::TimedOut),
                    Err(_) => Err(Failure::Timeout),
                }
            }
        }
    }

    /// Ends a command, also one that has not said yet which process it is.
    async fn kill(
        &self,
        name: &str,
        user: &str,
        begun: &mut Begun,
        output: &mut Collected,
    ) -> Result<(), Failure> {
        while output.pid().is_none() {
            let Some(piece) = begun.pieces.next().await else { break };
            output.take(piece?);
        }
        let Some(pid) = output.pid() else { return Ok(()) };
        let mut kill = self.begin(name, user, with_shell(KILL, &[pid.to_string()])).await?;
        // It may have ended by itself meanwhile: then the exit code is not 0.
        self.end(&mut kill, &mut Collected::new(0)).await.map(drop)
    }

    async fn begin(&self, name: &str, user: &str, command: Vec<String>) -> Result<Begun, Failure> {
        let config = CreateExecOptions {
            cmd: Some(command),
            user: Some(user.to_owned()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let id = bounded(self.timeouts.call(), self.docker.create_exec(name, config)).await?.id;
        match bounded(self.timeouts.call(), self.docker.start_exec(&id, None)).await? {
            StartExecResults::Attached { output, input } => Ok(Begun { id, pieces: output, _input: input }),
            StartExecResults::Detached => Err(Failure::Nonsense("a command without its output".to_owned())),
        }
    }

    /// Collects what a command writes until it ends; the answer is its exit code.
    async fn end(&self, begun: &mut Begun, output: &mut Collected) -> Result<i32, Failure> {
        while let Some(piece) = begun.pieces.next().await {
            output.take(piece?);
        }
        // The end of the output and the exit code reach the engine on different ways, and it offers nothing to wait
        // for the second one. The caller bounds this.
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            let seen = bounded(self.timeouts.call(), self.docker.inspect_exec(&begun.id)).await?;
            match (seen.running, seen.exit_code) {
                (Some(true), _) => {}
                (_, Some(code)) => return Ok(i32::try_from(code).unwrap_or(-1)),
                _ => return Err(Failure::Nonsense("a command that ended without an exit code".to_owned())),
            }
        }
    }
}

/// A command that was started.
struct Begun {
    id: String,
    pieces: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
    /// Held to the end: with Podman, closing it ends the output as well.
    _input: Pin<Box<dyn AsyncWrite + Send>>,
}

fn with_shell(script: &str, arguments: &[String]) -> Vec<String> {
    ["/bin/sh", "-c", script, "sh"].map(str::to_owned).into_iter().chain(arguments.iter().cloned()).collect()
}

/// Output, up to a limit for each stream. The rest is read and dropped, so that the command is not held up.
struct Collected {
    limit: usize,
    stdout: Vec<u8>,
    /// With the announcement in front.
    stderr: Vec<u8>,
    truncated: bool,
}

/// Room for the announcement.
const ANNOUNCEMENT: usize = 24;

impl Collected {
    fn new(limit: usize) -> Self {
        Self { limit, stdout: Vec::new(), stderr: Vec::new(), truncated: false }
    }

    fn take(&mut self, piece: LogOutput) {
        let (kept, limit) = match piece {
            LogOutput::StdErr { .. } => (&mut self.stderr, self.limit.saturating_add(ANNOUNCEMENT)),
            _ => (&mut self.stdout, self.limit),
        };
        let bytes = piece.as_ref();
        let room = limit.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
        self.truncated |= room < bytes.len();
    }

    /// The announced process id and where the command's own standard error begins.
    fn announcement(&self) -> Option<(u32, usize)> {
        let end = self.stderr.iter().position(|byte| *byte == b'\n')?;
        let pid = std::str::from_utf8(&self.stderr[..end]).ok()?.parse().ok()?;
        Some((pid, end + 1))
    }

    fn pid(&self) -> Option<u32> {
        self.announcement().map(|(pid, _)| pid)
    }

    fn finish(mut self, exit_code: i32) -> ExecOutput {
        let begin = self.announcement().map_or(0, |(_, begin)| begin);
        self.stderr.drain(..begin);
        let truncated = self.truncated || self.stderr.len() > self.limit;
        self.stderr.truncate(self.limit);
        ExecOutput { exit_code, stdout: self.stdout, stderr: self.stderr, truncated }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stderr(text: &'static str) -> LogOutput {
        LogOutput::StdErr { message: Bytes::from(text) }
    }

    fn stdout(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: Bytes::from(text) }
    }

    #[test]
    fn the_announcement_is_not_part_of_the_output() {
        let mut collected = Collected::new(10);
        for piece in [stderr("4"), stderr("2\nwr"), stdout("out"), stderr("ong")] {
            collected.take(piece);
        }
        assert_eq!(collected.pid(), Some(42));
        let output = collected.finish(3);
        assert_eq!((output.stdout, output.stderr), (b"out".to_vec(), b"wrong".to_vec()));
        assert!(!output.truncated);
    }

    #[test]
    fn what_is_too_long_is_cut_and_said_to_be() {
        let mut collected = Collected::new(3);
        collected.take(stderr("1\nabcdef"));
        let output = collected.finish(0);
        assert_eq!((output.stderr, output.truncated), (b"abc".to_vec(), true));
        let mut collected = Collected::new(3);
        collected.take(stderr("1\n"));
        collected.take(stdout("abcdef"));
        let output = collected.finish(0);
        assert_eq!((output.stdout, output.truncated), (b"abc".to_vec(), true));
    }

    #[test]
    fn without_an_announcement_there_is_no_process() {
        let mut collected = Collected::new(100);
        collected.take(stdout("OCI runtime exec failed"));
        assert_eq!(collected.pid(), None);
    }
}
