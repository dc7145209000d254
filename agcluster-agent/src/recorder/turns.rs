//! Which turns are open, which have been, and what they ask.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use agcluster_protocol::event::TurnOrigin;
use agcluster_protocol::{PromptId, ToolLiveness, TurnId, TurnLiveness};

use crate::log::TurnMark;
use crate::vitals::milliseconds;

/// Turns, and prompts added to them, that are remembered, so that a repeated request is answered as the first one was.
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
    /// Prompts that were added to turns, with the cursor before the event that tells it.
    added: HashMap<PromptId, u64>,
    added_order: VecDeque<PromptId>,
    /// Tool calls without a result, oldest first.
    tools: Vec<Tool>,
    /// Requests that wait for an answer, with the turn that asks.
    asked: HashMap<String, Option<TurnId>>,
    /// The conversation that was last told of.
    pub(super) conversation: Option<String>,
}

struct Open {
    turn: TurnId,
    origin: TurnOrigin,
    since: Instant,
    /// When something of it was last recorded.
    heard: Instant,
}

struct Tool {
    turn: TurnId,
    call_id: String,
    name: String,
    since: Instant,
}

impl Turns {
    pub(super) fn known(&self, turn: TurnId) -> Option<Begun> {
        self.known.get(&turn).cloned()
    }

    pub(super) fn open(&mut self, turn: TurnId, origin: TurnOrigin, after: u64) -> Begun {
        let known = Begun { after, mark: TurnMark::default(), fresh: false };
        let now = Instant::now();
        self.open.push(Open { turn, origin, since: now, heard: now });
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
        self.tools.retain(|tool| tool.turn != turn);
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
        self.open.iter().find(|open| open.turn == turn).map_or(0, |open| milliseconds(open.since))
    }

    pub(super) fn is_clients(&self, turn: TurnId) -> bool {
        self.open.iter().any(|open| open.turn == turn && open.origin == TurnOrigin::Client)
    }

    pub(super) fn added(&self, id: PromptId) -> Option<u64> {
        self.added.get(&id).copied()
    }

    pub(super) fn add(&mut self, id: PromptId, after: u64) {
        self.added.insert(id, after);
        self.added_order.push_back(id);
        if self.added_order.len() > REMEMBERED
            && let Some(oldest) = self.added_order.pop_front()
        {
            self.added.remove(&oldest);
        }
    }

    /// Something of a turn is recorded.
    pub(super) fn heard(&mut self, turn: TurnId) {
        if let Some(open) = self.open.iter_mut().find(|open| open.turn == turn) {
            open.heard = Instant::now();
        }
    }

    pub(super) fn tool_runs(&mut self, turn: Option<TurnId>, call_id: &str, name: &str) {
        if let Some(turn) = turn {
            let (call_id, name) = (call_id.to_owned(), name.to_owned());
            self.tools.push(Tool { turn, call_id, name, since: Instant::now() });
        }
    }

    pub(super) fn tool_is_done(&mut self, call_id: &str) {
        self.tools.retain(|tool| tool.call_id != call_id);
    }

    pub(super) fn tools(&self) -> Vec<ToolLiveness> {
        let tools = self.tools.iter().map(|tool| ToolLiveness {
            call_id: tool.call_id.clone(),
            name: tool.name.clone(),
            running_ms: milliseconds(tool.since),
        });
        tools.collect()
    }

    pub(super) fn liveness(&self) -> Option<TurnLiveness> {
        let id = self.foremost()?;
        let open = self.open.iter().find(|open| open.turn == id)?;
        Some(TurnLiveness { id, age_ms: milliseconds(open.since), silent_ms: milliseconds(open.heard) })
    }

    /// The requests that wait for an answer.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked: Vec<String> = self.asked.keys().cloned().collect();
        asked.sort();
        asked
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
