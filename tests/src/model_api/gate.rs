//! Gates: points in an answer where a test holds the model until it says go.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Gates that are kept; gates long passed are forgotten beyond it.
const MOST_GATES: usize = 10_000;

/// A gate is two facts that become true once and stay so.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    /// An answer waits, or has waited, here.
    pub(super) reached: CancellationToken,
    /// Answers may pass.
    pub(super) opened: CancellationToken,
}

/// All gates by name; one comes into being when it is first named, by either side.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Gate>>);

impl Gates {
    pub(super) fn named(&self, name: &str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MOST_GATES {
            gates.retain(|_, gate| !(gate.reached.is_cancelled() && gate.opened.is_cancelled()));
        }
        gates.entry(name.to_owned()).or_default().clone()
    }
}
