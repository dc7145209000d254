//! Bad days on order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// It is refused like this, and nothing is done.
    Answer(u16, Value),
    /// It is done, and the answer breaks off.
    LostAnswer,
    /// Nothing is done, and the connection breaks.
    LostRequest,
}

/// Faults by the action that they wait for, each for one request.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<HashMap<String, VecDeque<Fault>>>);

impl Faults {
    pub(super) fn order(&self, action: &str, fault: Fault) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.entry(action.to_owned()).or_default().push_back(fault);
    }

    pub(super) fn take(&self, action: &str) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(action)?.pop_front()
    }
}
