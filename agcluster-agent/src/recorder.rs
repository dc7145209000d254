//! The recorder: everything a driver says goes through here, and comes out in order.
//!
//! It keeps the promise that a turn has exactly one terminal event and that nothing of the turn follows it, whatever a
//! driver does: what comes too late is recorded as belonging to no turn, and a second end is not recorded at all.

#[cfg(test)]
mod tests;
mod turns;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agcluster_protocol::event::{Resolution, TurnOrigin};
use agcluster_protocol::{
    Event, EventBody, Outcome, PromptBlock, PromptId, ToolLiveness, TurnEnd, TurnId, TurnLiveness,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

pub(crate) use turns::Begun;
use turns::Turns;

use crate::log::EventLog;

/// One thing to record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) parent: Option<String>,
    pub(crate) extra: Map<String, Value>,
    pub(crate) body: EventBody,
}

impl From<EventBody> for Entry {
    fn from(body: EventBody) -> Self {
        Self { parent: None, extra: Map::new(), body }
    }
}

/// Why a turn cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// Another one is open.
    Busy,
    /// No turn begins any more.
    Closed,
}

/// Why a prompt cannot be added to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdded {
    /// The turn does not run.
    NotRunning,
    /// It is one of the agent's own.
    NotTheClients,
}

/// What of the turns may get stuck.
pub(crate) struct Liveness {
    pub(crate) turn: Option<TurnLiveness>,
    pub(crate) tools: Vec<ToolLiveness>,
    pub(crate) asked: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Recorder {
    generation: u32,
    log: Arc<EventLog>,
    turns: Arc<Mutex<Turns>>,
}

impl Recorder {
    pub(crate) fn new(log: Arc<EventLog>, generation: u32) -> Self {
        Self { generation, log, turns: Arc::default() }
    }

    /// Begins a client's turn. A turn that is known already is not begun again: its first answer comes back, with
    /// `fresh` false.
    pub(crate) fn begin(&self, turn: TurnId, prompt: Vec<PromptBlock>) -> Result<Begun, NotBegun> {
        let mut turns = self.lock();
        if let Some(begun) = turns.known(turn) {
            return Ok(begun);
        }
        if turns.is_closed() {
            return Err(NotBegun::Closed);
        }
        if turns.any_open() {
            return Err(NotBegun::Busy);
        }
        let begun = turns.open(turn, TurnOrigin::Client, self.log.newest());
        self.append(Some(turn), EventBody::TurnStarted { origin: TurnOrigin::Client, prompt }.into());
        Ok(begun)
    }

    /// Begins a turn of the agent's own. After [`Recorder::close`] none begins, and the id is good for nothing.
    pub(crate) fn begin_own(&self) -> TurnId {
        let turn = TurnId::generate();
        let mut turns = self.lock();
        if turns.is_closed() {
            return turn;
        }
        turns.open(turn, TurnOrigin::Agent, self.log.newest());
        let body = EventBody::TurnStarted { origin: TurnOrigin::Agent, prompt: Vec::new() };
        self.append(Some(turn), body.into());
        turn
    }

    /// Adds a prompt to a client's turn that runs. A prompt that is known already is not added again: the cursor before the
    /// event that told of it comes back, with false.
    pub(crate) fn add(
        &self,
        turn: TurnId,
        id: PromptId,
        prompt: Vec<PromptBlock>,
    ) -> Result<(u64, bool), NotAdded> {
        let mut turns = self.lock();
        if let Some(after) = turns.added(id) {
            return Ok((after, false));
        }
        if !turns.is_open(turn) {
            return Err(NotAdded::NotRunning);
        }
        if !turns.is_clients(turn) {
            return Err(NotAdded::NotTheClients);
        }
        let after = self.log.newest();
        turns.add(id, after);
        turns.heard(turn);
        self.append(Some(turn), EventBody::PromptAdded { id, prompt }.into());
        Ok((after, true))
    }

    /// The cursor before the event that told of an added prompt, if it is known.
    pub(crate) fn added(&self, id: PromptId) -> Option<u64> {
        self.lock().added(id)
    }

    /// Waits while more is kept than may be. Whoever records much waits for it before taking on more.
    pub(crate) async fn room(&self) {
        self.log.room().await;
    }

    pub(crate) fn liveness(&self) -> Liveness {
        let turns = self.lock();
        Liveness { turn: turns.liveness(), tools: turns.tools(), asked: turns.asked() }
    }

    /// The vendor's id of the conversation, as last recorded.
    pub(crate) fn conversation(&self) -> Option<String> {
        self.lock().conversation.clone()
    }

    /// Records something. The turn is left off when it is not open (any more); an end of a turn goes the way of
    /// [`Recorder::end`].
    pub(crate) fn record(&self, turn: Option<TurnId>, entry: Entry) {
        let mut turns = self.lock();
        let turn = turn.filter(|turn| turns.is_open(*turn));
        if let Some(turn) = turn {
            turns.heard(turn);
        }
        match &entry.body {
            EventBody::TurnEnded(_) => {
                if let Some(turn) = turn {
                    self.finish(&mut turns, turn, entry);
                }
                return;
            }
            EventBody::PermissionRequested(request) => turns.ask(turn, &request.request_id),
            EventBody::QuestionAsked { request_id, .. } => turns.ask(turn, request_id),
            // Answered and withdrawn at once: the first counts.
            EventBody::RequestResolved { request_id, .. } if !turns.resolve(request_id) => return,
            EventBody::ToolCall { call_id, name, .. } => turns.tool_runs(turn, call_id, name),
            EventBody::ToolResult { call_id, .. } => turns.tool_is_done(call_id),
            EventBody::AgentReady { conversation, .. } | EventBody::ConversationChanged { conversation } => {
                turns.conversation = Some(conversation.clone());
            }
            _ => {}
        }
        self.append(turn, entry);
    }

    /// Ends a turn, unless it has ended. What it still asks is withdrawn.
    pub(crate) fn end(&self, turn: TurnId, end: TurnEnd, extra: Map<String, Value>) {
        let mut turns = self.lock();
        if turns.is_open(turn) {
            self.finish(&mut turns, turn, Entry { parent: None, extra, body: EventBody::TurnEnded(end) });
        }
    }

    /// Ends every turn that is open, and withdraws whatever is asked. No turn begins after it.
    pub(crate) fn close(&self, outcome: &Outcome) {
        let mut turns = self.lock();
        turns.close_all();
        self.end_open(&mut turns, outcome);
    }

    fn end_open(&self, turns: &mut Turns, outcome: &Outcome) {
        self.withdraw(turns, None);
        for turn in turns.all_open() {
            let end = TurnEnd { duration_ms: turns.age_ms(turn), ..TurnEnd::bare(outcome.clone()) };
            self.finish(turns, turn, EventBody::TurnEnded(end).into());
        }
    }

    /// The turn that an interruption means: a client's before the agent's own.
    pub(crate) fn open_turn(&self) -> Option<TurnId> {
        self.lock().foremost()
    }

    pub(crate) fn is_open(&self, turn: TurnId) -> bool {
        self.lock().is_open(turn)
    }

    /// Milliseconds since a turn began; 0 when it is not open.
    pub(crate) fn age_ms(&self, turn: TurnId) -> u64 {
        self.lock().age_ms(turn)
    }

    /// Whether a request waits for an answer.
    pub(crate) fn is_asked(&self, request_id: &str) -> bool {
        self.lock().is_asked(request_id)
    }

    fn finish(&self, turns: &mut Turns, turn: TurnId, entry: Entry) {
        self.withdraw(turns, Some(turn));
        // The mark stands before the event can be read, so that a reader of the turn never runs past its end.
        turns.close(turn, self.log.newest() + 1);
        self.append(Some(turn), entry);
    }

    fn withdraw(&self, turns: &mut Turns, turn: Option<TurnId>) {
        for request_id in turns.take_asked(turn) {
            let resolution = Resolution::Withdrawn;
            self.append(turn, EventBody::RequestResolved { request_id, resolution }.into());
        }
    }

    /// Called under the lock only: the order of events is the order of these calls.
    fn append(&self, turn: Option<TurnId>, entry: Entry) -> u64 {
        let Entry { parent, extra, body } = entry;
        let generation = self.generation;
        self.log.append(Event { seq: 0, generation, at: Timestamp::now(), turn, parent, extra, body })
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
