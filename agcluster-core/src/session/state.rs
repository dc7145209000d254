//! The state machine of a session.
//!
//! ```text
//!     ┌──────────────▶ paused ──┐
//!     ▼                         ▼
//! starting ──▶ running ──▶ stopping ──▶ stopped
//!  ▲  ▲  │        │             ▲
//!  │  │  └────────┴──▶ failed ──┤
//!  │  │  (restart)       │      │
//!  │  └──────────────────┘      │
//!  └──────────── sleeping ──────┘
//! ```
//!
//! `running` becomes `paused` or `sleeping` when it is idle, and `starting` when it is restarted.

use agcluster_protocol::TurnId;
use serde::{Deserialize, Serialize};

use super::{Asked, SessionError};
use crate::provider::ContainerId;

/// What a session is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Status {
    /// Its container is being made.
    #[default]
    Starting,
    /// It takes turns.
    Running,
    /// Its container is frozen; the next message thaws it.
    Paused,
    /// Its container is gone, its workspace and conversation are kept; the next message makes a new container.
    Sleeping,
    /// Its container is being removed.
    Stopping,
    /// It is gone.
    Stopped,
    /// Its agent is gone, against its will. What it left can be read until it is removed, and it can be restarted.
    Failed {
        /// One sentence.
        reason: String,
    },
}

impl Status {
    /// The names of all states.
    pub const NAMES: [&str; 7] =
        ["starting", "running", "paused", "sleeping", "stopping", "stopped", "failed"];

    /// The name of the state.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Sleeping => "sleeping",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed { .. } => "failed",
        }
    }

    /// Why the session is in this state, where that needs saying.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            _ => None,
        }
    }

    fn may_become(&self, next: &Self) -> bool {
        use Status::{Failed, Paused, Running, Sleeping, Starting, Stopped, Stopping};
        matches!(
            (self, next),
            (Starting, Running | Failed { .. } | Stopping)
                | (Running, Paused | Sleeping | Starting | Failed { .. } | Stopping)
                | (Paused, Running | Starting | Failed { .. } | Stopping)
                | (Sleeping | Failed { .. }, Starting | Stopping)
                | (Stopping, Stopped | Failed { .. })
        )
    }
}

/// Everything about a session that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What it is doing.
    #[serde(flatten)]
    pub status: Status,
    /// The turn that is running.
    pub turn: Option<TurnId>,
    /// Its container.
    pub container: Option<ContainerId>,
    /// When the platform ends that container, if it does so by itself.
    pub expires_at: Option<jiff::Timestamp>,
    /// The generation of that container.
    pub generation: u32,
    /// Which run of the agent server was configured.
    pub instance: Option<String>,
    /// The vendor's id of the conversation.
    pub conversation: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its agent asks of people, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Whether its repository has been cloned.
    #[serde(default)]
    pub cloned: bool,
}

impl State {
    /// Goes to the next state.
    ///
    /// # Errors
    /// [`SessionError::NotRunning`] when there is no way.
    pub(super) fn go(&mut self, next: Status) -> Result<(), SessionError> {
        if !self.status.may_become(&next) {
            return Err(self.not_running());
        }
        if !matches!(next, Status::Running | Status::Paused) {
            // The agent that asked is gone.
            self.asked.clear();
        }
        self.status = next;
        Ok(())
    }

    /// Takes the place of the one running turn.
    pub(super) fn begin(&mut self, turn: TurnId) -> Result<(), SessionError> {
        if self.status != Status::Running {
            return Err(self.not_running());
        }
        if self.turn.is_some() {
            return Err(SessionError::Busy { turn: self.turn });
        }
        self.turn = Some(turn);
        Ok(())
    }

    /// Frees that place, if this turn has it. What the turn asked is asked no more.
    pub(super) fn end(&mut self, turn: TurnId) {
        if self.turn == Some(turn) {
            self.turn = None;
        }
        self.asked.retain(|asked| asked.turn != Some(turn));
    }

    pub(super) fn not_running(&self) -> SessionError {
        SessionError::NotRunning {
            status: self.status.as_str(),
            reason: self.status.reason().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests;
