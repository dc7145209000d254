//! Which turns are open, which have been, and what they ask.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use agcluster_protocol::TurnId;
use agcluster_protocol::event::TurnOrigin;

use crate::log::TurnMark;

/// Turns that are remembered, so that a repeated query is answered as the first one was.
const REMEMBERED: usize = 256;

/// A turn that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// The cursor from which the turn's first event is read.
    pub(crate) after: u64,
    /// Where the turn ends, once it has.
    pub(crate) mark: TurnMark,
    /// Whether it began with this very call.
    pub(crate) fresh: bool,
}

#[derive(Default)]
pub(super) struct Turns {
    open: Vec<Open>,
    closed: bool,
    known: HashMap<TurnId, Begun>,
    order: VecDeque<TurnId>,
    /// Requests that wait for an answer, with the turn that asks.
    asked: HashMap<String, Option<TurnId>>,
}

struct Open {
    turn: TurnId,
    origin: TurnOrigin,
    since: Instant,
}

impl Turns {
    pub(super) fn known(&self, turn: TurnId) -> Option<Begun> {
        self.known.get(&turn).cloned()
    }

    pub(super) fn open(&mut self, turn: TurnId, origin: TurnOrigin, after: u64) -> Begun {
        let known = Begun { after, mark: TurnMark::default(), fresh: false };
        self.open.push(Open { turn, origin, since: Instant::now() });
        self.known.insert(turn, known.clone());
        self.order.push_back(turn);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        Begun { fresh: true, ..known }
    }

    pub(super) fn close(&mut self, turn: TurnId, seq: u64) {
        self.open.retain(|open| open.turn != turn);
        if let Some(known) = self.known.get(&turn) {
            // Set only here, and a turn is closed once.
            let _ = known.mark.set(seq);
        }
    }

    pub(super) fn is_open(&self, turn: TurnId) -> bool {
        self.open.iter().any(|open| open.turn == turn)
    }

    /// From now on no turn begins.
    pub(super) fn close_all(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(super) fn all_open(&self) -> Vec<TurnId> {
        self.open.iter().map(|open| open.turn).collect()
    }

    pub(super) fn foremost(&self) -> Option<TurnId> {
        let of_a_client = self.open.iter().find(|open| open.origin == TurnOrigin::Client);
        of_a_client.or(self.open.first()).map(|open| open.turn)
    }

    pub(super) fn age_ms(&self, turn: TurnId) -> u64 {
        let open = self.open.iter().find(|open| open.turn == turn);
        open.map_or(0, |open| u64::try_from(open.since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn ask(&mut self, turn: Option<TurnId>, request_id: &str) {
        self.asked.insert(request_id.to_owned(), turn);
    }

    pub(super) fn resolve(&mut self, request_id: &str) -> bool {
        self.asked.remove(request_id).is_some()
    }

    pub(super) fn is_asked(&self, request_id: &str) -> bool {
        self.asked.contains_key(request_id)
    }

    /// What a turn asks, or what is asked outside of turns; it is asked no more.
    pub(super) fn take_asked(&mut self, turn: Option<TurnId>) -> Vec<String> {
        let taken = self.asked.extract_if(|_, of| *of == turn).map(|(request_id, _)| request_id);
        let mut taken: Vec<String> = taken.collect();
        taken.sort();
        taken
    }
}
