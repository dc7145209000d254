//! Carries events from an agent server into the journal, over any number of connections.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{Event, EventBody, FailureReason, Outcome, TurnEnd, codes};
use futures::StreamExt;
use tokio::time::{Instant, sleep};

use super::{Session, Status};
use crate::agent::{AgentClient, AgentError};
use crate::journal::{Entry, JournalError};
use crate::provider::{Container, ContainerState, ErrorKind};

/// The most events appended at once.
const BATCH: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// An agent server that cannot be reached for so long, though its container runs, is held to be lost.
const UNREACHABLE: Duration = Duration::from_secs(60);

/// Why the pump ends.
struct Lost {
    failure: FailureReason,
    reason: String,
}

/// Runs until the session is removed or its agent server is lost, which it then says.
pub(super) async fn run(session: Arc<Session>, client: AgentClient) {
    let _writer = session.writer.lock().await;
    if let Some(lost) = carry(&session, &client).await {
        tracing::warn!(session = %session.id, reason = lost.reason, "a session lost its agent");
        fail(&session, lost).await;
    }
}

/// Gives why the agent was lost, or nothing when the session is being removed. It is only ever left between two appends.
async fn carry(session: &Session, client: &AgentClient) -> Option<Lost> {
    let mut cursor = 0;
    let mut pause = FIRST_PAUSE;
    let mut instance = None;
    let mut last_contact = Instant::now();
    loop {
        match session.cancel.run_until_cancelled(client.events(cursor)).await? {
            Ok(events) => {
                let mut batches = events.ready_chunks(BATCH);
                while let Some(batch) = session.cancel.run_until_cancelled(batches.next()).await? {
                    match append(session, &mut cursor, batch).await {
                        Ok(()) => {
                            last_contact = Instant::now();
                            pause = FIRST_PAUSE;
                        }
                        Err(Stop::Reconnect) => break,
                        Err(Stop::Lost(lost)) => return Some(lost),
                    }
                }
            }
            Err(error) if error.is_refusal(codes::CURSOR_EXPIRED) => {
                return Some(Lost {
                    failure: FailureReason::AgentServerLost,
                    reason: "events were lost: the agent server dropped them before they could be read"
                        .to_owned(),
                });
            }
            Err(error) => {
                tracing::debug!(session = %session.id, %error, "an event stream could not be opened")
            }
        }
        match session.cancel.run_until_cancelled(check(session, client, &mut instance)).await? {
            Ok(true) => last_contact = Instant::now(),
            Ok(false) if last_contact.elapsed() > UNREACHABLE => {
                let reason = format!("its agent server could not be reached for {} s", UNREACHABLE.as_secs());
                return Some(Lost { failure: FailureReason::AgentServerLost, reason });
            }
            Ok(false) => {}
            Err(lost) => return Some(lost),
        }
        session.cancel.run_until_cancelled(sleep(pause)).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum Stop {
    Reconnect,
    Lost(Lost),
}

async fn append(
    session: &Session,
    cursor: &mut u64,
    batch: Vec<Result<Event, AgentError>>,
) -> Result<(), Stop> {
    let generation = session.state.borrow().generation;
    let mut entries = Vec::with_capacity(batch.len());
    let mut broken = None;
    for event in batch {
        match event {
            // Seen already, on an earlier connection.
            Ok(event) if event.seq <= *cursor => {}
            Ok(event) if event.generation != generation => {
                broken = Some(Stop::Lost(Lost {
                    failure: FailureReason::AgentServerLost,
                    reason: format!("an agent server of generation {} answered", event.generation),
                }));
                break;
            }
            Ok(event) if event.seq != *cursor + 1 => {
                tracing::warn!(session = %session.id, expected = *cursor + 1, got = event.seq, "a gap in an event stream");
                broken = Some(Stop::Reconnect);
                break;
            }
            Ok(event) => {
                *cursor = event.seq;
                entries.push(Entry::from_agent(event));
            }
            Err(error) => {
                tracing::debug!(session = %session.id, %error, "an event stream broke");
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
        note(session, &entries);
        store(session, entries).await.map_err(|error| {
            Stop::Lost(Lost {
                failure: FailureReason::Other,
                reason: format!("its events cannot be kept: {error}"),
            })
        })?;
    }
    broken.map_or(Ok(()), Err)
}

/// Keeps the session's state in step with what its agent says.
fn note(session: &Session, entries: &[Entry]) {
    session.touch();
    for entry in entries {
        let event = &entry.event;
        match (&event.body, event.turn) {
            (EventBody::TurnStarted { .. }, Some(turn)) => session.state.send_modify(|state| {
                state.turn.get_or_insert(turn);
            }),
            (
                EventBody::AgentReady { conversation, .. } | EventBody::ConversationChanged { conversation },
                _,
            ) => session.state.send_modify(|state| state.conversation = Some(conversation.clone())),
            _ => {}
        }
    }
}

/// Appends, and frees the turn's place only then: whoever sees the session idle can read how the turn ended.
async fn store(session: &Session, entries: Vec<Entry>) -> Result<(), JournalError> {
    let ended: Vec<_> = entries
        .iter()
        .filter(|entry| entry.event.is_terminal())
        .filter_map(|entry| entry.event.turn)
        .collect();
    session.journal.append(&session.id, entries).await?;
    for turn in ended {
        session.state.send_modify(|state| state.end(turn));
    }
    Ok(())
}

/// Finds out what is true after a connection was lost. `Ok(true)` when the agent server answers.
async fn check(session: &Session, client: &AgentClient, instance: &mut Option<String>) -> Result<bool, Lost> {
    if let Ok(health) = client.health().await {
        let known = instance.get_or_insert_with(|| health.instance.clone());
        if *known == health.instance && health.generation.is_some() {
            return Ok(true);
        }
        let reason = "its agent server was started anew and knows nothing of it".to_owned();
        return Err(Lost { failure: FailureReason::AgentServerLost, reason });
    }
    let Some(id) = session.state.borrow().container.clone() else { return Ok(false) };
    match session.placement.provider().inspect(&id).await {
        Ok(Container { state: ContainerState::Stopped { reason, exit_code }, .. }) => {
            let why = reason.or_else(|| exit_code.map(|code| format!("exit code {code}")));
            let reason =
                format!("its container ended{}", why.map_or_else(String::new, |why| format!(" ({why})")));
            Err(Lost { failure: FailureReason::ContainerLost, reason })
        }
        Ok(Container { state: ContainerState::Remains, .. }) => Err(gone()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(gone()),
        Ok(_) => Ok(false),
        Err(error) => {
            tracing::debug!(session = %session.id, %error, "a container could not be looked at");
            Ok(false)
        }
    }
}

fn gone() -> Lost {
    Lost { failure: FailureReason::ContainerLost, reason: "its container is gone".to_owned() }
}

/// Ends the running turn and the session with a reason.
async fn fail(session: &Session, lost: Lost) {
    let Lost { failure, reason } = lost;
    let status = Status::Failed { reason: reason.clone() };
    let mut failed = false;
    session.state.send_modify(|state| failed = state.go(status.clone()));
    if !failed {
        return;
    }
    let mut entries = end_turn(session, failure, &reason);
    let generation = session.state.borrow().generation;
    let changed = EventBody::SessionChanged { status: status.as_str().to_owned(), reason: Some(reason) };
    entries.push(Entry::own(generation, None, changed));
    if let Err(error) = store(session, entries).await {
        tracing::error!(session = %session.id, %error, "a lost session could not be journaled");
    }
}

/// The terminal event of the turn that is running, if one is. Only the journal's writer may ask.
pub(super) fn end_turn(session: &Session, reason: FailureReason, message: &str) -> Vec<Entry> {
    let state = session.state.borrow();
    let Some(turn) = state.turn else { return Vec::new() };
    let outcome = Outcome::Failed { reason, message: message.to_owned() };
    vec![Entry::own(state.generation, Some(turn), EventBody::TurnEnded(TurnEnd::bare(outcome)))]
}
