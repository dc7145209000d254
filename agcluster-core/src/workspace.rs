//! The workspace of a session: files, git, terminals and commands in its container, the same on every platform.
//!
//! All of it happens in the container, as the agent's user and beneath `/workspace`; nothing of it is ever on this
//! machine's disk. What comes back is a container's word and may be hostile: sizes are bounded, nothing is interpreted.

mod exec;
pub mod files;
mod frames;
pub mod git;
mod patient;
mod query;
mod terminals;
mod text;
mod tickets;
pub mod upload;

use std::sync::Arc;

use futures::StreamExt;
use serde::de::DeserializeOwned;

use crate::agent::{AgentError, Exchange, Exchanged, read_json};
use crate::session::{Result, Session};

pub use exec::{ExecOutcome, Execution};
pub use terminals::TerminalView;
pub use text::TextPieces;
pub use tickets::{Ticket, TicketError, TicketPlace, Tickets};

/// The workspace of a session. Every use of it counts as activity of the session.
#[derive(Debug, Clone)]
pub struct Workspace {
    session: Arc<Session>,
}

impl Workspace {
    /// The workspace of this session.
    pub fn of(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The git repositories in it.
    pub fn git(&self) -> git::Git<'_> {
        git::Git::of(self)
    }

    /// Sends a request to the workspace. Its path begins with
    /// [`PREFIX`](agcluster_protocol::workspace::PREFIX). The session is in use until the answer is read or dropped.
    ///
    /// # Errors
    /// [`SessionError::Agent`](crate::session::SessionError::Agent) with the container's refusal.
    pub async fn exchange(&self, exchange: Exchange) -> Result<Exchanged> {
        let acting = self.session.acting();
        let answer = self.session.agent_client().await?.exchange(exchange).await?;
        Ok(answer.map(|body| {
            body.inspect(move |_| {
                let _until_dropped = &acting;
            })
            .boxed()
        }))
    }

    /// The same for an answer of a bounded length that is JSON.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange), and when the answer is no such JSON.
    pub async fn call<T: DeserializeOwned>(&self, exchange: Exchange) -> Result<T> {
        let answer = self.exchange(exchange).await?;
        read_json(answer).await.map_err(|error: AgentError| error.into())
    }
}
