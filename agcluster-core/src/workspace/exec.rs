//! Commands in a session's container.

use agcluster_protocol::workspace::{EXEC, Exec, ExecFrame, Exit, Placed};
use http::Method;

use super::Workspace;
use super::frames::Frames;
use crate::agent::{AgentError, Exchange};
use crate::session::Result;

/// A command that runs. Dropping it ends the command with its process group; one that is kept, only after a while.
pub struct Execution {
    workspace: Workspace,
    frames: Frames<Placed<ExecFrame>>,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Execution")
    }
}

/// What a command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutcome {
    /// How it ended.
    pub exit: Exit,
    /// Whether its time was up.
    pub timed_out: bool,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Whether either of them was longer than was kept.
    pub truncated: bool,
}

impl Workspace {
    /// Starts a command, which runs until it ends, its time is up, or the answer is dropped; or goes on with one that is kept.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange): the container says why it cannot be run.
    pub async fn exec(&self, exec: &Exec) -> Result<Execution> {
        const OPERATION: &str = "exec";
        let answer = self.exchange(Exchange::new(OPERATION, Method::POST, EXEC).json(exec)?).await?;
        Ok(Execution { workspace: self.clone(), frames: Frames::new(OPERATION, answer) })
    }
}

impl Execution {
    /// What comes next; `None` after [`ExecFrame::Exited`]. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the container cannot be reached any more, or does not answer as it should. The command may run on.
    pub async fn next(&mut self) -> Result<Option<Placed<ExecFrame>>> {
        loop {
            match self.frames.next().await? {
                Some(Placed { frame: ExecFrame::Alive | ExecFrame::Other, .. }) => {}
                frame => {
                    self.workspace.session.touch();
                    return Ok(frame);
                }
            }
        }
    }

    /// Waits for the end and keeps at most so many bytes of each stream.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn finish(mut self, most: usize) -> Result<ExecOutcome> {
        let mut outcome = ExecOutcome::default();
        while let Some(Placed { frame, .. }) = self.next().await? {
            match frame {
                ExecFrame::Stdout { data } => outcome.truncated |= !add(&mut outcome.stdout, &data.0, most),
                ExecFrame::Stderr { data } => outcome.truncated |= !add(&mut outcome.stderr, &data.0, most),
                ExecFrame::Exited { exit, timed_out, duration_ms } => {
                    return Ok(ExecOutcome { exit, timed_out, duration_ms, ..outcome });
                }
                ExecFrame::Alive | ExecFrame::Other => {}
            }
        }
        Err(AgentError::Unreachable("the stream ended before the command".into()).into())
    }
}

/// Whether all of it had room.
fn add(kept: &mut Vec<u8>, bytes: &[u8], most: usize) -> bool {
    let room = most.saturating_sub(kept.len()).min(bytes.len());
    kept.extend_from_slice(&bytes[..room]);
    room == bytes.len()
}
