//! Carries events from an agent server into the journal, over any number of connections.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{Event, EventBody, FailureReason, TurnEnd, TurnId, codes};
use futures::stream::Fuse;
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::bring_up::client;
use super::lifecycle::changed;
use super::session_handle::Along;
use super::turn_end::LastWords;
use super::{Result, Session, SessionError, SessionId, Status, approvals};
use crate::agent::{AgentClient, AgentError, EventStream};
use crate::journal::{Entry, Patience, Writing};
use crate::measure;
use crate::provider::{Container, ContainerState, ErrorKind};
use crate::store::{Change, TranscriptChunk, TurnState};

/// The most events appended at once.
const BATCH: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// An agent server that cannot be reached for so long, though its container runs, is held to be lost.
pub(super) const UNREACHABLE: Duration = Duration::from_secs(180);
/// So many streams in a row that leave events out are put up with: a connection may have lost them, an agent server must not.
const GAPS: u32 = 5;
/// So many events are carried before the agent server is told that it may forget them. At the end of a turn it is told too.
const ACKNOWLEDGE: u64 = 128;

/// One attachment to one agent server.
struct Pump {
    session: Arc<Session>,
    client: AgentClient,
    generation: u32,
    /// The agent server's number of the last event in the journal, or of the last that is on its way there.
    cursor: u64,
    /// The events that are on their way. Nobody waits for them before there are others: that would wake this task once more
    /// for every event.
    writing: Option<Writing>,
    /// When the cursor is so far, the agent server is told.
    acknowledge_at: u64,
    /// Streams in a row that left events out.
    gaps: u32,
    cancel: CancellationToken,
}

/// Why the pump ends.
struct Lost {
    failure: FailureReason,
    reason: String,
}

/// Runs until the session lets go of this agent server, or that is lost, which it then says.
pub(super) fn start(session: &Arc<Session>, client: AgentClient, cursor: u64, cancel: CancellationToken) {
    let generation = session.state.borrow().generation;
    let session = Arc::clone(session);
    // Sessions that began together shall not all acknowledge at the same moment.
    let acknowledge_at = cursor + 1 + RandomState::new().hash_one(&session.id) % ACKNOWLEDGE;
    let mut pump =
        Pump { session, client, generation, cursor, writing: None, acknowledge_at, gaps: 0, cancel };
    tokio::spawn(async move {
        let session = Arc::clone(&pump.session);
        let _carrier = session.carrier.lock().await;
        let lost = pump.carry().await;
        // Whoever comes next looks at how far the journal is.
        let lost = lost.or(pump.settle().await.err());
        if let Some(lost) = lost {
            tracing::warn!(session = %session.id, reason = lost.reason, "a session lost its agent");
            fail(&session, lost).await;
        }
    });
}

impl Pump {
    /// Gives why the agent was lost, or nothing when it is let go of. It is only ever left between two appends, of which the
    /// last may be on its way.
    async fn carry(&mut self) -> Option<Lost> {
        let cancel = self.cancel.clone();
        let mut pause = FIRST_PAUSE;
        let mut last_contact = Instant::now();
        loop {
            match cancel.run_until_cancelled(self.client.events(self.cursor)).await? {
                Ok(events) => {
                    let mut events = events.fuse();
                    while let Some(batch) = cancel.run_until_cancelled(next_batch(&mut events)).await? {
                        match self.append(batch).await {
                            Ok(()) => {
                                last_contact = Instant::now();
                                pause = FIRST_PAUSE;
                            }
                            Err(Stop::Reconnect) => break,
                            Err(Stop::Lost(lost)) => return Some(lost),
                        }
                    }
                }
                Err(error) => {
                    if let Some(lost) = refused(&error)
                        && cancel.run_until_cancelled(self.has_moved()).await? == Some(false)
                    {
                        return Some(lost);
                    }
                    tracing::debug!(session = %self.session.id, %error, "an event stream could not be opened");
                }
            }
            if let Err(lost) = self.settle().await {
                return Some(lost);
            }
            match cancel.run_until_cancelled(self.check()).await? {
                Ok(true) => last_contact = Instant::now(),
                Ok(false) if last_contact.elapsed() > UNREACHABLE => {
                    let seconds = UNREACHABLE.as_secs();
                    let reason = format!("its agent server could not be reached for {seconds} s");
                    return Some(Lost { failure: FailureReason::AgentServerLost, reason });
                }
                Ok(false) => {}
                Err(lost) => return Some(lost),
            }
            cancel.run_until_cancelled(sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for what is on its way.
    async fn settle(&mut self) -> Result<(), Lost> {
        match self.writing.take() {
            Some(writing) => writing.done().await.map(drop).map_err(|error| not_kept(&error)),
            None => Ok(()),
        }
    }

    async fn append(&mut self, batch: Vec<Result<Event, AgentError>>) -> Result<(), Stop> {
        self.settle().await.map_err(Stop::Lost)?;
        if self.cursor >= self.acknowledge_at {
            self.acknowledge();
        }
        let mut entries = Vec::with_capacity(batch.len());
        let mut broken = None;
        let mut cursor = self.cursor;
        for event in batch {
            match event {
                // Seen already, on an earlier connection.
                Ok(event) if event.seq <= cursor => {}
                Ok(event) if event.generation != self.generation => {
                    broken = Some(Stop::Lost(Lost {
                        failure: FailureReason::AgentServerLost,
                        reason: format!("an agent server of generation {} answered", event.generation),
                    }));
                    break;
                }
                Ok(event) if event.seq != cursor + 1 => {
                    tracing::warn!(session = %self.session.id, expected = cursor + 1, got = event.seq, "a gap in an event stream");
                    self.gaps += 1;
                    broken = Some(match self.gaps {
                        ..GAPS => Stop::Reconnect,
                        _ => Stop::Lost(Lost {
                            failure: FailureReason::AgentServerLost,
                            reason: format!(
                                "its agent server left out event {}, again and again",
                                cursor + 1
                            ),
                        }),
                    });
                    break;
                }
                Ok(event) => {
                    self.gaps = 0;
                    cursor = event.seq;
                    entries.push(Entry::from_agent(event));
                }
                Err(error) => {
                    tracing::debug!(session = %self.session.id, %error, "an event stream broke");
                    broken = Some(match error {
                        AgentError::Protocol(reason) => {
                            Stop::Lost(Lost { failure: FailureReason::AgentServerLost, reason })
                        }
                        _ => Stop::Reconnect,
                    });
                    break;
                }
            }
        }
        if !entries.is_empty() {
            self.session.heard();
            let turn_ended = self.store(entries).await.map_err(|error| Stop::Lost(not_kept(&error)))?;
            self.cursor = cursor;
            if turn_ended {
                self.acknowledge();
            }
        }
        broken.map_or(Ok(()), Err)
    }

    /// Appends, and changes the session's state with it: whoever sees the session idle can read how the turn ended.
    async fn store(&mut self, mut entries: Vec<Entry>) -> Result<bool, SessionError> {
        let session = &self.session;
        let mut changes = transcripts(&session.id, &mut entries);
        let notes: Vec<Note> = entries.iter().filter_map(Note::of).collect();
        if notes.is_empty() {
            self.writing = Some(session.journal.begin_to_append(&session.id, entries, changes).await?);
            return Ok(false);
        }
        if notes.iter().all(|note| matches!(note, Note::Said(_))) {
            session.journal.append(&session.id, entries, changes, Patience::Endless).await?;
            if let Some(Note::Said(words)) = notes.into_iter().next_back() {
                session.turns(|turns| turns.last_words = Some(words));
            }
            return Ok(false);
        }
        let head = session.head().await?;
        let turn_ended = notes.iter().any(|note| matches!(note, Note::Ended(..)));
        session
            .change(Patience::Endless, |state| {
                for note in notes {
                    changes.extend(note.apply(session, state, head));
                }
                Ok(Along { entries, changes })
            })
            .await?;
        if turn_ended {
            session.start_next().await;
        }
        Ok(turn_ended)
    }

    /// Tells the agent server what it need not keep any more, while nothing is on its way. A lost call is made up for by the next.
    fn acknowledge(&mut self) {
        self.acknowledge_at = self.cursor + ACKNOWLEDGE;
        let (client, generation, cursor) = (self.client.clone(), self.generation, self.cursor);
        let session = self.session.id.clone();
        let acknowledging = async move {
            if let Err(error) = client.ack(generation, cursor).await {
                tracing::debug!(%session, %error, "an acknowledgement did not arrive");
            }
        };
        let cancel = self.cancel.clone();
        tokio::spawn(async move { cancel.run_until_cancelled(acknowledging).await });
    }

    /// Finds out what is true after a connection was lost. `Ok(true)` when the agent server answers.
    async fn check(&mut self) -> Result<bool, Lost> {
        let (container, instance) = {
            let state = self.session.state.borrow();
            (state.container.clone(), state.instance.clone())
        };
        if let Ok(health) = self.client.health().await {
            if instance.is_none_or(|instance| instance == health.instance) && health.generation.is_some() {
                return Ok(true);
            }
            if self.has_moved().await != Some(false) {
                return Ok(false);
            }
            let reason = "its agent server was started anew and knows nothing of it".to_owned();
            return Err(Lost { failure: FailureReason::AgentServerLost, reason });
        }
        let (Some(id), Ok(provider)) = (container, self.session.provider()) else { return Ok(false) };
        match provider.inspect(&id).await {
            Ok(container) => match ended(&container) {
                Some(lost) => return Err(lost),
                None => {
                    self.has_moved().await;
                }
            },
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone()),
            Err(error) => {
                tracing::debug!(session = %self.session.id, %error, "a container could not be looked at");
            }
        }
        Ok(false)
    }

    /// Whether the container is reached at another address than before, where then somebody else may answer: it came back to
    /// a network that was cut. From now on it is asked there. Nothing when the platform does not say.
    async fn has_moved(&mut self) -> Option<bool> {
        let (id, provider) = (self.session.container()?, self.session.provider().ok()?);
        let client = match client(&self.session, provider.as_ref(), &id, self.generation).await {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(session = %self.session.id, %error, "a container's address is not known");
                return None;
            }
        };
        if client.is_at(&self.client) {
            return Some(false);
        }
        tracing::info!(session = %self.session.id, "a container has another address");
        self.client = client.clone();
        // Unless the session has let go of it meanwhile.
        self.session.client.send_if_modified(|known| known.is_some() && known.replace(client).is_some());
        Some(true)
    }
}

/// The events that are there, at least one and [`BATCH`] at the most. It makes room for those alone: mostly there is one,
/// and there is a pump for every session.
async fn next_batch(events: &mut Fuse<EventStream>) -> Option<Vec<Result<Event, AgentError>>> {
    let mut batch = vec![events.next().await?];
    while batch.len() < BATCH
        && let Some(Some(event)) = events.next().now_or_never()
    {
        batch.push(event);
    }
    Some(batch)
}

enum Stop {
    Reconnect,
    Lost(Lost),
}

/// What an event changes of its session.
enum Note {
    Started(TurnId),
    Said(LastWords),
    Ended(TurnId, Box<TurnEnd>),
    Conversation(String),
    Request(approvals::Note),
}

impl Note {
    fn of(entry: &Entry) -> Option<Self> {
        match (&entry.event.body, entry.event.turn) {
            (EventBody::TurnStarted { .. }, Some(turn)) => Some(Self::Started(turn)),
            (EventBody::Text { text, .. }, Some(turn)) if entry.event.parent.is_none() => {
                Some(Self::Said(LastWords::new(turn, text)))
            }
            (EventBody::TurnEnded(end), Some(turn)) => Some(Self::Ended(turn, Box::new(end.clone()))),
            (
                EventBody::AgentReady { conversation, .. } | EventBody::ConversationChanged { conversation },
                _,
            ) => Some(Self::Conversation(conversation.clone())),
            _ => approvals::Note::of(entry).map(Self::Request),
        }
    }

    /// `head` is the newest event before this one that is known.
    fn apply(self, session: &Session, state: &mut super::State, head: u64) -> Option<Change> {
        match self {
            Self::Request(note) => {
                note.apply(session, state, head);
                None
            }
            Self::Conversation(conversation) => {
                state.conversation = Some(conversation);
                None
            }
            Self::Said(words) => {
                session.turns(|turns| turns.last_words = Some(words));
                None
            }
            Self::Started(turn) => {
                state.turn.get_or_insert(turn);
                session.turns(|turns| {
                    turns.last_words = Some(LastWords::none(turn));
                    let current = turns.current.as_mut().filter(|current| current.id == turn)?;
                    if let Some(placed) = turns.placed.take() {
                        measure::first_event(placed.elapsed());
                    }
                    current.state = TurnState::Running;
                    current.prompt = Vec::new();
                    Some(Change::Turn(Box::new(current.clone())))
                })
            }
            Self::Ended(turn, end) => {
                state.end(turn);
                session.turns(|turns| turns.end(turn, *end))
            }
        }
    }
}

/// Takes the vendor's own record of the conversation out of the events: it is kept beside them, whole, for a restart.
fn transcripts(session: &SessionId, entries: &mut [Entry]) -> Vec<Change> {
    let mut changes = Vec::new();
    for Entry { source_seq, event } in entries {
        if let EventBody::Transcript { path, entries } = &mut event.body {
            let seq = (u64::from(event.generation) << 40) | source_seq.unwrap_or_default();
            let chunk = TranscriptChunk { path: path.clone(), entries: std::mem::take(entries) };
            changes.push(Change::Transcript { session: session.clone(), seq, chunk });
        }
    }
    changes
}

/// Why a container that is like this can carry no session.
pub(super) fn end_of(container: &Container) -> Option<String> {
    match &container.state {
        ContainerState::Stopped { reason, exit_code } => {
            let why = reason.clone().or_else(|| exit_code.map(|code| format!("exit code {code}")));
            Some(format!("its container ended{}", why.map_or_else(String::new, |why| format!(" ({why})"))))
        }
        ContainerState::Remains => Some(GONE.to_owned()),
        ContainerState::Starting | ContainerState::Running | ContainerState::Paused => None,
    }
}

/// What is said of a session whose container is gone.
pub(super) const GONE: &str = "its container is gone";

fn ended(container: &Container) -> Option<Lost> {
    end_of(container).map(|reason| Lost { failure: FailureReason::ContainerLost, reason })
}

fn not_kept(error: &dyn std::error::Error) -> Lost {
    Lost { failure: FailureReason::Other, reason: format!("its events cannot be kept: {error}") }
}

fn gone() -> Lost {
    Lost { failure: FailureReason::ContainerLost, reason: GONE.to_owned() }
}

/// Whether an event stream will never be opened.
fn refused(error: &AgentError) -> Option<Lost> {
    let reason = if error.is_refusal(codes::CURSOR_EXPIRED) {
        "events were lost: the agent server dropped them before they could be read"
    } else if error.is_refusal(codes::CURSOR_IN_FUTURE) {
        "its agent server was started anew and knows nothing of it"
    } else if error.is_refusal(codes::UNAUTHORIZED) {
        "its agent server does not take this server's token: was the token key changed?"
    } else {
        return None;
    };
    Some(Lost { failure: FailureReason::AgentServerLost, reason: reason.to_owned() })
}

/// Ends the running turn and the session with a reason.
async fn fail(session: &Session, lost: Lost) {
    let Lost { failure, reason } = lost;
    session.client.send_replace(None);
    if let Err(error) = fail_with(session, failure, reason).await {
        tracing::error!(session = %session.id, %error, "a lost session could not be journaled");
    }
}

/// Says that a session failed. One that is being removed stays as it is.
pub(super) async fn fail_with(session: &Session, failure: FailureReason, reason: String) -> Result<()> {
    let status = Status::Failed { reason: reason.clone() };
    let failed = session.change(Patience::Endless, |state| {
        state.go(status.clone())?;
        let mut along = session.abandon(state, failure, &reason);
        along.entries.push(Entry::own(state.generation, None, changed(&status, Some(&reason))));
        Ok(along)
    });
    match failed.await {
        Err(SessionError::NotRunning { .. }) => Ok(()),
        other => other,
    }
}
