//! Turns: promised, delivered, queued, steered. A turn is kept before its agent hears of it, so that it runs once
//! whatever ends in between.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{
    EventBody, FailureReason, Outcome, PromptBlock, PromptId, Query, Steer, TurnEnd, TurnId, codes,
};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio::time::sleep;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::session_handle::{Along, STORE, Turns, is_busy};
use super::turn_end::{LastWords, ended};
use super::{Result, Session, SessionError, Status, Turn};
use crate::agent::AgentError;
use crate::journal::{self, Entry, Patience};
use crate::store::{Change, IdempotencyRecord, StoreError, TurnRecord, TurnState};

/// Turns that may wait in one session.
const QUEUE: usize = 64;
/// Pauses between tries to deliver a turn to an agent server that cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A message for an agent.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// What is said.
    pub prompt: Vec<PromptBlock>,
    /// What shall happen when a turn is running.
    pub when_busy: WhenBusy,
    /// Whether it is asked for as a job.
    pub background: bool,
    /// Makes a repeated request give the first one's turn.
    pub idempotency: Option<Idempotency>,
}

impl TurnRequest {
    /// A message that is refused when a turn is running.
    pub fn new(prompt: Vec<PromptBlock>) -> Self {
        Self { prompt, when_busy: WhenBusy::Refuse, background: false, idempotency: None }
    }
}

/// What shall happen to a message when a turn is running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It is refused.
    #[default]
    Refuse,
    /// It waits for the end of that turn, and of those that wait already.
    Queue,
    /// It is added to that turn.
    Steer,
}

/// The name that a client gives a request, so that it can be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The name.
    pub key: String,
    /// A digest of what is asked for; the same name with another one is refused.
    pub fingerprint: String,
}

impl Session {
    /// Starts a turn and gives its records. The turn ends by itself, by [`interrupt`](Self::interrupt), or with the
    /// session; dropping the answer, or this future, does not end it.
    ///
    /// # Errors
    /// [`SessionError::Busy`] while another turn runs, [`SessionError::NotRunning`] outside of running.
    pub async fn chat(self: &Arc<Self>, prompt: Vec<PromptBlock>) -> Result<Turn> {
        self.begin(TurnRequest::new(prompt)).await
    }

    /// The same with a choice of what happens when a turn is running, and with a name for repeating it.
    ///
    /// # Errors
    /// As [`chat`](Self::chat), and [`SessionError::IdempotencyMismatch`], [`SessionError::CannotSteer`],
    /// [`SessionError::QueueFull`].
    pub async fn begin(self: &Arc<Self>, request: TurnRequest) -> Result<Turn> {
        self.touch();
        // In a task of its own, so that a caller who leaves now leaves a known state behind.
        let session = Arc::clone(self);
        let span = tracing::info_span!("begin_turn", session = session.id.as_str(), turn = Empty);
        let begun = tokio::spawn(async move { session.promise(request).await }.instrument(span));
        let (id, after) = begun.await.map_err(|_| SessionError::Removed)??;
        self.follow(id, after).await
    }

    /// The records of a turn.
    ///
    /// # Errors
    /// [`SessionError::Journal`] for a cursor that is too old.
    pub async fn follow(&self, turn: TurnId, after: u64) -> Result<Turn> {
        let records = journal::subscribe(self.journal.clone(), self.id.clone(), after).await;
        let records = records.map_err(|error| self.unread(error))?;
        Ok(Turn::new(turn, after, records.boxed()))
    }

    async fn promise(self: &Arc<Self>, request: TurnRequest) -> Result<(TurnId, u64)> {
        // So that nothing is in doubt that was not even tried.
        self.journal.check()?;
        // One request with a name at a time: a repeated one finds what the first came to, also when that is being undone.
        let naming = match &request.idempotency {
            None => None,
            Some(idempotency) => {
                let naming = tokio::time::timeout(STORE, Arc::clone(&self.naming).lock_owned()).await;
                let late = |_| StoreError::Unavailable("an earlier request still waits for it".to_owned());
                let naming = naming.map_err(late)?;
                if let Some(begun) = self.begun_before(idempotency).await? {
                    return Ok(begun);
                }
                Some(naming)
            }
        };
        // It is not put to rest between here and the turn's beginning.
        let _acting = self.acting();
        self.wake().await?;
        if request.when_busy == WhenBusy::Steer && self.state.borrow().turn.is_some() {
            return self.steer(request.prompt, request.idempotency.as_ref()).await;
        }
        let record = TurnRecord {
            id: TurnId::generate(),
            session: self.id.clone(),
            owner: self.owner,
            state: TurnState::Sent,
            prompt: request.prompt,
            background: request.background,
            after: self.head().await?,
            created_at: Timestamp::now(),
            ended_at: None,
            end: None,
            whole: false,
        };
        let (id, after) = (record.id, record.after);
        Span::current().record("turn", display(id));
        match self.take_place(record.clone(), request.idempotency.as_ref()).await {
            Err(SessionError::Busy { .. }) if request.when_busy == WhenBusy::Queue => {
                if let Err(error) = self.enqueue(record.clone(), request.idempotency.as_ref()).await {
                    self.doubt(&error, record, request.idempotency, naming);
                    return Err(error);
                }
            }
            Err(error) => {
                self.doubt(&error, record, request.idempotency, naming);
                return Err(error);
            }
            Ok(()) => {
                match self.deliver(id).await {
                    Ok(()) => {}
                    // A turn of the agent's own came first.
                    Err(SessionError::Busy { .. }) if request.when_busy == WhenBusy::Queue => {
                        tokio::spawn(Arc::clone(self).deliver_later(id));
                    }
                    Err(error) => {
                        self.withdraw(record, request.idempotency.map(|idempotency| idempotency.key)).await;
                        return Err(error);
                    }
                }
            }
        }
        Ok((id, after))
    }

    /// What a request with this name began.
    async fn begun_before(&self, idempotency: &Idempotency) -> Result<Option<(TurnId, u64)>> {
        let store = self.journal.store();
        let Some(record) = store.idempotency(&self.owner, &idempotency.key).await? else { return Ok(None) };
        if record.fingerprint != idempotency.fingerprint || record.session != self.id {
            return Err(SessionError::IdempotencyMismatch);
        }
        let turn = record.turn.ok_or(SessionError::IdempotencyMismatch)?;
        if let Some(record) = store.turn(turn).await? {
            return Ok(Some((record.id, record.after)));
        }
        // A prompt that was added to a turn of the agent's own, or a session that is being removed.
        let is_kept = store.idempotency(&self.owner, &idempotency.key).await?.is_some();
        Ok(if is_kept { Some((turn, self.head().await?)) } else { None })
    }

    /// Writes down that a turn begins. From then on it is the session's one running turn.
    async fn take_place(
        self: &Arc<Self>,
        record: TurnRecord,
        idempotency: Option<&Idempotency>,
    ) -> Result<()> {
        let changes = self.intent(&record, idempotency);
        let id = record.id;
        let taken = self.change(Patience::Short, |state| {
            state.begin(id)?;
            self.heard();
            self.turns(|turns| turns.place(record.clone()));
            Ok(Along { entries: Vec::new(), changes })
        });
        let taken = taken.await;
        if let Err(SessionError::Journal(_)) = &taken {
            self.turns(|turns| turns.current.take_if(|turn| turn.id == id));
        }
        taken
    }

    fn intent(&self, record: &TurnRecord, idempotency: Option<&Idempotency>) -> Vec<Change> {
        let mut changes = vec![Change::Turn(Box::new(record.clone()))];
        if let Some(idempotency) = idempotency {
            changes.push(Change::Idempotency(self.named(idempotency, record.id, record.created_at)));
        }
        changes
    }

    /// What a request of this name began.
    fn named(&self, idempotency: &Idempotency, turn: TurnId, at: Timestamp) -> IdempotencyRecord {
        let Idempotency { key, fingerprint } = idempotency.clone();
        IdempotencyRecord {
            owner: self.owner,
            key,
            fingerprint,
            session: self.id.clone(),
            turn: Some(turn),
            at,
        }
    }

    /// The one name of the prompt in a request of this name.
    fn prompt_id(&self, idempotency: &Idempotency) -> PromptId {
        let name = format!("{}\n{}\n{}", self.owner.to_hex(), self.id, idempotency.key);
        let mut id = [0; 16];
        id.copy_from_slice(&Sha256::digest(name)[..16]);
        PromptId(Uuid::from_bytes(id))
    }

    /// Writes down that a turn waits.
    async fn enqueue(self: &Arc<Self>, record: TurnRecord, idempotency: Option<&Idempotency>) -> Result<()> {
        let record = TurnRecord { state: TurnState::Queued, ..record };
        let room = self.turns(|turns| {
            let room = turns.queued.len() < QUEUE;
            if room {
                turns.queued.push_back(record.clone());
            }
            room
        });
        if !room {
            return Err(SessionError::QueueFull(QUEUE));
        }
        let kept = self.journal.commit(self.intent(&record, idempotency), Patience::Short).await;
        if let Err(error) = kept {
            // One that waits no more has been started meanwhile, or was taken back.
            return self.turns(|turns| turns.unqueue(record.id)).map_or(Ok(()), |_| Err(error.into()));
        }
        // The turn before it may have ended meanwhile.
        self.start_next().await;
        Ok(())
    }

    /// Adds a prompt to the running turn.
    async fn steer(
        &self,
        prompt: Vec<PromptBlock>,
        idempotency: Option<&Idempotency>,
    ) -> Result<(TurnId, u64)> {
        let (turn, generation) = {
            let state = self.state.borrow();
            (state.turn.ok_or(SessionError::Idle)?, state.generation)
        };
        let after = self.head().await?;
        // The agent server takes a prompt of the same name once, also when the answer to the first request was lost.
        let id = idempotency.map_or_else(PromptId::generate, |named| self.prompt_id(named));
        let steer = Steer { id, turn, generation, prompt };
        let client = self.client().await?;
        let mut answer = client.steer(&steer).await;
        if answer.as_ref().is_err_and(AgentError::is_retryable) {
            answer = client.steer(&steer).await;
        }
        match answer {
            Ok(_) => {
                let named = idempotency.map(|named| self.named(named, turn, Timestamp::now()));
                if let Some(record) = named {
                    self.journal.commit(vec![Change::Idempotency(record)], Patience::Short).await?;
                }
                Ok((turn, after))
            }
            Err(error) if error.is_refusal(codes::UNSUPPORTED) => Err(SessionError::CannotSteer),
            Err(error) if error.is_refusal(codes::IDLE) => Err(SessionError::Idle),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands the running turn over to the agent server. An agent server that cannot be reached gets it later: the promise
    /// stands. Only a refusal is an error.
    pub(super) async fn deliver(self: &Arc<Self>, turn: TurnId) -> Result<()> {
        match self.hand_over(turn).await {
            Err(error) if is_undecided(&error) => {
                tokio::spawn(Arc::clone(self).deliver_later(turn));
                Ok(())
            }
            other => other,
        }
    }

    /// As [`deliver`](Self::deliver), for a turn whose client has its answer already: a refusal ends the turn.
    pub(super) fn deliver_later(self: Arc<Self>, turn: TurnId) -> BoxFuture<'static, ()> {
        let deliver = async move {
            let mut pause = FIRST_PAUSE;
            while self.state.borrow().turn == Some(turn) {
                match self.hand_over(turn).await {
                    Ok(()) => return,
                    Err(error) if is_undecided(&error) || matches!(error, SessionError::Busy { .. }) => {
                        if self.cancel.run_until_cancelled(sleep(pause)).await.is_none() {
                            return;
                        }
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    Err(error) => {
                        let reason = FailureReason::AgentError;
                        self.end_current(turn, reason, &format!("the agent server refused it: {error}"))
                            .await;
                        self.start_next().await;
                        return;
                    }
                }
            }
        };
        deliver.boxed()
    }

    async fn hand_over(&self, turn: TurnId) -> Result<()> {
        let Some(prompt) = self.turns(|turns| {
            let current = turns.current.as_ref().filter(|current| current.id == turn);
            current.filter(|current| current.state == TurnState::Sent).map(|current| current.prompt.clone())
        }) else {
            return Ok(());
        };
        let generation = self.state.borrow().generation;
        let query = Query { turn, generation, prompt };
        match self.client().await?.query(&query).await {
            Ok(_) => Ok(()),
            Err(error) if is_busy(&error) => Err(SessionError::Busy { turn: None }),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the turn that waits longest, if none runs.
    pub(super) async fn start_next(self: &Arc<Self>) {
        let Some(next) = self.turns(|turns| turns.queued.front().cloned()) else { return };
        let next = TurnRecord { state: TurnState::Sent, ..next };
        let id = next.id;
        let taken = self.change(Patience::Endless, |state| {
            state.begin(id)?;
            self.heard();
            self.turns(|turns| {
                turns.queued.retain(|turn| turn.id != id);
                turns.place(next.clone());
            });
            Ok(Along { entries: Vec::new(), changes: vec![Change::Turn(Box::new(next))] })
        });
        if taken.await.is_ok() {
            tokio::spawn(Arc::clone(self).deliver_later(id));
        }
    }

    /// Takes a waiting turn back. `false` when it does not wait any more.
    ///
    /// # Errors
    /// [`SessionError::Journal`].
    pub async fn unqueue(&self, turn: TurnId) -> Result<bool> {
        let Some(record) = self.turns(|turns| turns.unqueue(turn)) else { return Ok(false) };
        let end = TurnEnd::bare(Outcome::Interrupted);
        let ended = ended(record, end.clone(), Some(LastWords::none(turn)));
        let entry = Entry::own(self.state.borrow().generation, Some(turn), EventBody::TurnEnded(end));
        self.journal
            .append(&self.id, vec![entry], vec![Change::Turn(Box::new(ended))], Patience::Endless)
            .await?;
        Ok(true)
    }

    /// Ends a running turn that no agent works on, if it is still that one.
    pub(super) async fn end_current(&self, turn: TurnId, reason: FailureReason, message: &str) {
        let ended = self.change(Patience::Endless, |state| {
            if state.turn != Some(turn) {
                return Err(SessionError::Idle);
            }
            Ok(self.abandon(state, reason, message))
        });
        if let Err(error) = ended.await {
            tracing::debug!(session = %self.id, %error, "a turn had ended already");
        }
    }

    /// The terminal event of the running turn, and what is kept of it.
    pub(super) fn abandon(&self, state: &mut super::State, reason: FailureReason, message: &str) -> Along {
        let Some(turn) = state.turn.take() else { return Along::default() };
        let end = TurnEnd::bare(Outcome::Failed { reason, message: message.to_owned() });
        let kept = self.turns(|turns| turns.end(turn, end.clone()));
        Along {
            entries: vec![Entry::own(state.generation, Some(turn), EventBody::TurnEnded(end))],
            changes: kept.into_iter().collect(),
        }
    }

    /// Forgets a turn that its agent refused before it began. Its client is told so.
    async fn withdraw(self: &Arc<Self>, record: TurnRecord, idempotency: Option<String>) {
        let id = record.id;
        let mut changes = withdrawal(record, idempotency);
        let withdrawn = self.change(Patience::Endless, |state| {
            state.end(id);
            self.turns(|turns| turns.current.take_if(|turn| turn.id == id));
            Ok(Along { entries: Vec::new(), changes: std::mem::take(&mut changes) })
        });
        if let Err(error) = withdrawn.await {
            tracing::warn!(session = %self.id, %error, "a refused turn could not be forgotten");
        }
        self.start_next().await;
    }

    /// A turn that was not written down in time may be all the same: it must not run after a restart, since its client is told
    /// that it does not. Until that is settled, no other request has its name.
    fn doubt(
        self: &Arc<Self>,
        error: &SessionError,
        record: TurnRecord,
        idempotency: Option<Idempotency>,
        naming: Option<OwnedMutexGuard<()>>,
    ) {
        if error.is_undecided_by_the_store() {
            let session = Arc::clone(self);
            tokio::spawn(async move {
                session.withdraw(record, idempotency.map(|idempotency| idempotency.key)).await;
                drop(naming);
            });
        }
    }

    /// Whether it runs no turn, none waits, and no request acts in it. What waits in a session that has failed waits for
    /// its restart, which nobody may ask for.
    pub(super) fn is_idle(&self) -> bool {
        let (runs, failed) = {
            let state = self.state.borrow();
            (state.turn.is_some(), matches!(state.status, Status::Failed { .. }))
        };
        let waits = !failed && !self.turns(|turns| turns.queued.is_empty());
        !runs && !waits && !self.is_acted_in()
    }

    /// Whether it takes turns, or can be made to.
    pub(super) fn is_running(&self) -> bool {
        self.state.borrow().status == Status::Running
    }
}

impl Turns {
    /// Takes a waiting turn out, if it still waits.
    fn unqueue(&mut self, turn: TurnId) -> Option<TurnRecord> {
        let place = self.queued.iter().position(|queued| queued.id == turn)?;
        self.queued.remove(place)
    }

    /// What is kept of the running turn, if it is that one, which it is no longer.
    pub(super) fn end(&mut self, turn: TurnId, end: TurnEnd) -> Option<Change> {
        let current = self.current.take_if(|current| current.id == turn)?;
        Some(Change::Turn(Box::new(ended(current, end, self.last_words.take()))))
    }
}

/// What is kept of a turn that was promised, but never begun.
pub(super) fn never_begun(record: TurnRecord) -> Change {
    let message = "it was never begun".to_owned();
    let end = TurnEnd::bare(Outcome::Failed { reason: FailureReason::Other, message });
    let nothing = LastWords::none(record.id);
    Change::Turn(Box::new(ended(record, end, Some(nothing))))
}

fn withdrawal(record: TurnRecord, idempotency: Option<String>) -> Vec<Change> {
    let owner = record.owner;
    let turn = never_begun(record);
    let key = idempotency.map(|key| Change::RemoveIdempotency { owner, key });
    std::iter::once(turn).chain(key).collect()
}

/// Whether the agent server may have the turn, or may get it yet.
fn is_undecided(error: &SessionError) -> bool {
    match error {
        // The session was restarted meanwhile, which has ended the turn.
        SessionError::Agent(error) => error.is_retryable() || error.is_refusal(codes::STALE_GENERATION),
        SessionError::Unreachable(_) => true,
        _ => false,
    }
}
