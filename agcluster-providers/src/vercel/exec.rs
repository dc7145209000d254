//! Commands that are waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use agcluster_core::provider::{ErrorKind, ExecOptions, ExecOutput, Result};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::api::{Command, Line, Lines, Run};
use super::error::{About, not_running, plain};
use super::shared::Shared;

/// Gives 127 for a command that is not there, whatever Vercel itself would answer.
const EXEC: &str = r#"exec "$@""#;
/// How much longer than we do Vercel waits before it ends a command: for callers that went away.
const BACKSTOP: Duration = Duration::from_secs(10);
/// How long a command may take to die.
const DYING: Duration = Duration::from_secs(10);
const SIGKILL: i32 = 9;

/// A command in a session.
pub(super) struct Execution<'a> {
    pub(super) shared: &'a Shared,
    pub(super) session: &'a str,
    pub(super) operation: &'static str,
    /// As root.
    pub(super) sudo: bool,
}

/// What a stream came to.
enum Ended {
    Exit(i32),
    TimedOut,
    Stopped,
    Early,
}

impl Execution<'_> {
    /// Runs a script of this crate's own with these arguments, with the time of a change.
    pub(super) async fn script(&self, script: &str, arguments: &[&str]) -> Result<ExecOutput> {
        let words = ["/bin/sh", "-c", script, "sh"].into_iter().chain(arguments.iter().copied());
        let timeout = self.shared.config.timeouts.archive();
        self.run(&ExecOptions { timeout, ..ExecOptions::new(words) }).await
    }

    pub(super) async fn run(&self, options: &ExecOptions) -> Result<ExecOutput> {
        let api = &self.shared.api;
        let explain = |failure| self.shared.explain(failure, self.operation, About::Container(self.session));
        let deadline = Instant::now() + options.timeout;
        let mut args = vec!["-c".to_owned(), EXEC.to_owned(), "sh".to_owned()];
        args.extend(options.command.iter().cloned());
        let run = Run {
            command: "/bin/sh",
            args: &args,
            env: BTreeMap::new(),
            sudo: self.sudo,
            timeout: u64::try_from((options.timeout + BACKSTOP).as_millis()).ok(),
        };
        let late = || {
            let seconds = options.timeout.as_secs_f32();
            plain(
                ErrorKind::Timeout,
                self.operation,
                format!("the command ran longer than {seconds} s and was ended"),
            )
        };
        let lines = match timeout_at(deadline, api.run(self.session, &run)).await {
            Ok(Err(failure)) if failure.is_stopped() || failure.is_stopping() => {
                return Err(not_running(self.operation));
            }
            Ok(lines) => lines.map_err(explain)?,
            Err(_) => return Err(late()),
        };
        let mut output = ExecOutput::default();
        let mut command = None;
        match follow(lines, deadline, options.max_output_bytes, &mut output, &mut command)
            .await
            .map_err(explain)?
        {
            Ended::Exit(code) => {
                output.exit_code = code;
                Ok(output)
            }
            Ended::TimedOut => {
                if let Some(command) = command {
                    self.kill(&command).await;
                }
                Err(late())
            }
            Ended::Stopped => Err(not_running(self.operation)),
            Ended::Early => Err(plain(
                ErrorKind::Unavailable,
                self.operation,
                "the stream of the command broke off, and it may still run: see before it is repeated",
            )
            .retryable(false)),
        }
    }

    /// Ends a command, and waits until it is dead. Should either fail, Vercel ends it a little later.
    async fn kill(&self, command: &Command) {
        let api = &self.shared.api;
        let killed = api.kill(self.session, &command.id, SIGKILL).await;
        let dead = match killed {
            Ok(()) => api.wait(self.session, &command.id, DYING).await.map(|_| ()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = dead {
            tracing::debug!(%failure, "a command that took too long is left to the platform");
        }
    }
}

/// Reads a stream to its end or to the deadline.
async fn follow(
    mut lines: Lines,
    deadline: Instant,
    most: usize,
    output: &mut ExecOutput,
    command: &mut Option<Command>,
) -> Result<Ended, super::api::Failure> {
    loop {
        let Ok(line) = timeout_at(deadline, lines.next()).await else { return Ok(Ended::TimedOut) };
        match line {
            None => return Ok(Ended::Early),
            Some(line) => match line? {
                Line::Command(seen) => match seen.exit_code {
                    Some(code) => return Ok(Ended::Exit(code)),
                    None => *command = Some(seen),
                },
                Line::Output { is_error, data } => {
                    let kept = if is_error { &mut output.stderr } else { &mut output.stdout };
                    let room = most - kept.len();
                    output.truncated |= data.len() > room;
                    kept.extend_from_slice(&data[..data.len().min(room)]);
                }
                Line::Error { code } if code.contains("stop") || code.contains("snapshot") => {
                    return Ok(Ended::Stopped);
                }
                Line::Error { .. } => return Ok(Ended::Early),
            },
        }
    }
}
