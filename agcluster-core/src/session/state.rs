//! The state machine of a session.
//!
//! ```text
//! starting ──▶ running ──▶ stopping ──▶ stopped
//!     │           │            ▲
//!     └───────────┴──▶ failed ─┘
//! ```

use agcluster_protocol::TurnId;
use serde::Serialize;

use super::SessionError;
use crate::provider::ContainerId;

/// What a session is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Status {
    /// Its container is being made.
    #[default]
    Starting,
    /// It takes turns.
    Running,
    /// Its container is being removed.
    Stopping,
    /// It is gone.
    Stopped,
    /// Its agent is gone, against its will. What it left can be read until it is removed.
    Failed {
        /// One sentence.
        reason: String,
    },
}

impl Status {
    /// The name of the state.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
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
        use Status::{Failed, Running, Starting, Stopped, Stopping};
        matches!(
            (self, next),
            (Starting, Running | Failed { .. } | Stopping)
                | (Running, Failed { .. } | Stopping)
                | (Failed { .. }, Stopping)
                | (Stopping, Stopped | Failed { .. })
        )
    }
}

/// Everything about a session that changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What it is doing.
    pub status: Status,
    /// The turn that is running.
    pub turn: Option<TurnId>,
    /// Its container.
    pub container: Option<ContainerId>,
    /// When the platform ends that container, if it does so by itself.
    pub expires_at: Option<jiff::Timestamp>,
    /// The generation of that container.
    pub generation: u32,
    /// The vendor's id of the conversation.
    pub conversation: Option<String>,
}

impl State {
    /// Goes to the next state, if there is a way.
    pub(super) fn go(&mut self, next: Status) -> bool {
        let may = self.status.may_become(&next);
        if may {
            self.status = next;
        }
        may
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

    /// Frees that place, if this turn has it.
    pub(super) fn end(&mut self, turn: TurnId) {
        if self.turn == Some(turn) {
            self.turn = None;
        }
    }

    pub(super) fn not_running(&self) -> SessionError {
        SessionError::NotRunning {
            status: self.status.as_str(),
            reason: self.status.reason().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status() -> impl Strategy<Value = Status> {
        prop_oneof![
            Just(Status::Starting),
            Just(Status::Running),
            Just(Status::Stopping),
            Just(Status::Stopped),
            Just(Status::Failed { reason: "x".into() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_stopped_stays_stopped(next in prop::collection::vec(status(), 0..20)) {
            let mut state = State { status: Status::Stopped, ..State::default() };
            for next in next {
                prop_assert!(!state.go(next));
            }
            prop_assert_eq!(state.status, Status::Stopped);
        }

        #[test]
        fn running_comes_only_after_starting(path in prop::collection::vec(status(), 0..20)) {
            let mut state = State::default();
            for next in path {
                let before = state.status.clone();
                if state.go(next) && state.status == Status::Running {
                    prop_assert_eq!(before, Status::Starting);
                }
            }
        }
    }

    #[test]
    fn one_turn_at_a_time() {
        let mut state = State { status: Status::Running, ..State::default() };
        let (first, second) = (TurnId::generate(), TurnId::generate());
        state.begin(first).unwrap();
        assert!(matches!(state.begin(second), Err(SessionError::Busy { turn: Some(turn) }) if turn == first));
        state.end(second);
        assert_eq!(state.turn, Some(first), "another turn's end frees nothing");
        state.end(first);
        state.begin(second).unwrap();
    }

    #[test]
    fn no_turn_before_it_runs() {
        let error = State::default().begin(TurnId::generate()).unwrap_err();
        assert!(matches!(error, SessionError::NotRunning { status: "starting", .. }));
    }
}
