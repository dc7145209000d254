//! The terminals of a session.

use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{
    OpenTerminal, TERMINALS, Terminal, TerminalFrame, TerminalList, TerminalSize,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::Method;

use super::Workspace;
use super::frames::Frames;
use crate::agent::{AgentError, Exchange};
use crate::session::{Result, SessionError};

/// How often a view that broke is taken up again before it is given up.
const TRIES: u32 = 5;
/// How long is waited before the second try; each further wait is twice as long.
const WAIT: Duration = Duration::from_millis(100);

/// Terminals. A name must be [one](agcluster_protocol::workspace::is_terminal_name); the container refuses others.
impl Workspace {
    /// All terminals, also those whose shell has ended.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn terminals(&self) -> Result<Vec<Terminal>> {
        let list: TerminalList = self.call(Exchange::new("terminals", Method::GET, TERMINALS)).await?;
        Ok(list.terminals)
    }

    /// The terminal of that name, which is made when it is not there or its shell has ended. One that is there gets the size, if
    /// one is given.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn open_terminal(&self, name: &str, size: Option<TerminalSize>) -> Result<Terminal> {
        let exchange = Exchange::new("open terminal", Method::POST, format!("{TERMINALS}/{name}"));
        self.call(exchange.json(&OpenTerminal { size })?).await
    }

    /// Everything on a terminal from an offset on, until its shell ends. Whoever reads too slowly misses output, and is told so.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn view_terminal(&self, name: &str, after: u64) -> Result<TerminalView> {
        let frames = self.output(name, after).await?;
        Ok(TerminalView { workspace: self.clone(), name: name.to_owned(), after, frames: Some(frames) })
    }

    /// Types into a terminal. Bytes of two calls stay in order when the second one comes after the answer to the first.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange). When the connection broke, the terminal may have got them.
    pub async fn type_into_terminal(&self, name: &str, bytes: Bytes) -> Result<()> {
        let exchange = Exchange::new("type into terminal", Method::POST, format!("{TERMINALS}/{name}/input"));
        self.exchange(exchange.stream(stream::iter([Ok(bytes)]).boxed())).await.map(drop)
    }

    /// Gives the window of a terminal another size, for all who look at it.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn resize_terminal(&self, name: &str, size: TerminalSize) -> Result<()> {
        let exchange = Exchange::new("resize terminal", Method::POST, format!("{TERMINALS}/{name}/resize"));
        self.exchange(exchange.json(&size)?).await.map(drop)
    }

    /// Ends a terminal with all that runs in it, and answers when that is gone.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    pub async fn end_terminal(&self, name: &str) -> Result<()> {
        let exchange = Exchange::new("end terminal", Method::DELETE, format!("{TERMINALS}/{name}"));
        self.exchange(exchange).await.map(drop)
    }

    async fn output(&self, name: &str, after: u64) -> Result<Frames<TerminalFrame>> {
        const OPERATION: &str = "view terminal";
        let path = format!("{TERMINALS}/{name}/output?after={after}");
        Ok(Frames::new(OPERATION, self.exchange(Exchange::new(OPERATION, Method::GET, path)).await?))
    }

    /// The same for a view that broke, which has everything before an offset.
    async fn output_again(&self, name: &str, after: u64) -> Result<Frames<TerminalFrame>> {
        let mut wait = WAIT;
        for _ in 1..TRIES {
            match self.output(name, after).await {
                Err(SessionError::Agent(error)) if error.is_retryable() => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                // The container may have been made anew: its terminals are others.
                Err(SessionError::Agent(error)) if error.is_refusal(codes::CURSOR_IN_FUTURE) => {
                    return Err(AgentError::Unreachable("the terminal is another one now".into()).into());
                }
                other => return other,
            }
        }
        self.output(name, after).await
    }
}

/// What is to be seen on a terminal. Dropping it ends nothing in the container.
pub struct TerminalView {
    workspace: Workspace,
    name: String,
    /// The offset behind all that was given.
    after: u64,
    /// Absent while the connection is broken.
    frames: Option<Frames<TerminalFrame>>,
}

impl std::fmt::Debug for TerminalView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalView").field("name", &self.name).field("after", &self.after).finish()
    }
}

impl TerminalView {
    /// The offset behind all that was given: from there a later view goes on.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// What comes next; `None` after [`TerminalFrame::Exited`]. A connection that breaks is made again without anything being
    /// lost. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the container cannot be reached any more, or does not answer as it should.
    pub async fn next(&mut self) -> Result<Option<TerminalFrame>> {
        loop {
            let broken = match &mut self.frames {
                Some(frames) => match frames.next().await {
                    Ok(Some(TerminalFrame::Alive | TerminalFrame::Other)) => continue,
                    Ok(Some(frame)) => {
                        self.workspace.session.touch();
                        self.after = end_of(&frame).unwrap_or(self.after);
                        return Ok(Some(frame));
                    }
                    Ok(None) => return Ok(None),
                    Err(error) => Some(error),
                },
                None => None,
            };
            if let Some(error) = broken {
                if !error.is_retryable() {
                    return Err(error.into());
                }
                self.frames = None;
            }
            self.frames = Some(self.workspace.output_again(&self.name, self.after).await?);
        }
    }
}

/// The offset behind a frame, where it moves the cursor.
fn end_of(frame: &TerminalFrame) -> Option<u64> {
    match frame {
        TerminalFrame::Output { offset, data } => {
            Some(offset.saturating_add(u64::try_from(data.0.len()).unwrap_or(u64::MAX)))
        }
        TerminalFrame::Lost { to, .. } => Some(*to),
        _ => None,
    }
}
