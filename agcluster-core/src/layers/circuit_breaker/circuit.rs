//! The state machine.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const LONGEST_OPEN: Duration = Duration::from_secs(24 * 60 * 60);
/// When a caller shall come back while somebody else is trying.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Circuit {
    failures: u32,
    open: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// What a call said of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
}

/// A call that was let through. Dropping it without a report gives its turn back.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    /// Whether this is the one call of a half-open circuit.
    is_trial: bool,
}

impl Circuit {
    pub(super) fn new(failures: u32, open: Duration) -> Self {
        let state = Mutex::new(State::Closed { failures: 0 });
        Self { failures: failures.max(1), open: open.min(LONGEST_OPEN), state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is replaced as a whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or says when to come back.
    pub(super) fn enter(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => Ok(Pass { circuit: self, is_trial: false }),
            State::Open { until } if now < until => Err(until - now),
            State::Open { .. } => {
                *state = State::HalfOpen;
                Ok(Pass { circuit: self, is_trial: true })
            }
            State::HalfOpen => Err(SOON),
        }
    }
}

impl Pass<'_> {
    /// Says how the call went; answers the new state's name if it changed.
    pub(super) fn report(mut self, verdict: Verdict, now: Instant) -> Option<&'static str> {
        let mut state = self.circuit.state();
        let (new, change) = match (*state, verdict) {
            (State::HalfOpen, Verdict::Success) if self.is_trial => {
                (State::Closed { failures: 0 }, Some("closed"))
            }
            (State::HalfOpen, Verdict::Failure) if self.is_trial => (self.opened(now), Some("open")),
            (State::Closed { .. }, Verdict::Success) => (State::Closed { failures: 0 }, None),
            (State::Closed { failures }, Verdict::Failure) => match failures + 1 {
                enough if enough >= self.circuit.failures => (self.opened(now), Some("open")),
                failures => (State::Closed { failures }, None),
            },
            // A call from before it opened: too late to matter.
            (same, _) => (same, None),
        };
        *state = new;
        drop(state);
        self.is_trial = false;
        change
    }

    fn opened(&self, now: Instant) -> State {
        State::Open { until: now + self.circuit.open }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            // The next call is the trial.
            *self.circuit.state() = State::Open { until: Instant::now() };
        }
    }
}
