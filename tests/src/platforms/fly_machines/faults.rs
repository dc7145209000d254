//! Bad days, on order or by chance.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

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

/// Faults by the action that they wait for, each for one request, and those that come by chance.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    ordered: HashMap<String, VecDeque<Fault>>,
    chance: Option<Chance>,
}

/// The same faults again for the same seed and requests.
#[derive(Debug)]
struct Chance {
    percent: u64,
    state: u64,
}

impl Chance {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fault(&mut self) -> Option<Fault> {
        if self.next() % 100 >= self.percent {
            return None;
        }
        Some(match self.next() % 4 {
            0 => Fault::LostAnswer,
            1 => Fault::LostRequest,
            2 => Fault::Answer(503, json!({ "error": "unavailable" })),
            _ => Fault::Answer(429, json!({ "error": "rate limit exceeded" })),
        })
    }
}

impl Faults {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn order(&self, action: &str, fault: Fault) {
        self.waiting().ordered.entry(action.to_owned()).or_default().push_back(fault);
    }

    pub(super) fn by_chance(&self, seed: u64, percent: u64) {
        self.waiting().chance = (percent > 0).then_some(Chance { percent, state: seed });
    }

    pub(super) fn take(&self, action: &str) -> Option<Fault> {
        let mut waiting = self.waiting();
        let ordered = waiting.ordered.get_mut(action).and_then(VecDeque::pop_front);
        ordered.or_else(|| waiting.chance.as_mut()?.fault())
    }
}
