//! What a list of changes comes to: what the list itself undoes or replaces is left out, and the rest is sorted by kind.
//!
//! That makes a repeated list harmless, and lets a database write many rows with one statement.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{
    AuditRecord, Change, ConfigRecord, IdempotencyRecord, Result, StoreError, TranscriptChunk, TurnRecord,
};
use crate::journal::Record;
use crate::session::{Owner, SessionId, SessionRecord};

/// Events by session, sessions in the order in which they came.
pub(super) type EventsOf<'a> = Vec<(&'a SessionId, Vec<&'a Arc<Record>>)>;

/// The outcome of a list of changes, to be made in the order of these fields.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) removed: Vec<&'a SessionId>,
    pub(super) sessions: Vec<&'a SessionRecord>,
    pub(super) events: EventsOf<'a>,
    pub(super) turns: Vec<&'a TurnRecord>,
    pub(super) cleared: Vec<&'a SessionId>,
    pub(super) transcript: Vec<(&'a SessionId, u64, &'a TranscriptChunk)>,
    pub(super) freed_keys: Vec<(Owner, &'a str)>,
    pub(super) keys: Vec<&'a IdempotencyRecord>,
    pub(super) removed_configs: Vec<(Owner, &'a str)>,
    pub(super) configs: Vec<&'a ConfigRecord>,
    pub(super) audit: Vec<&'a AuditRecord>,
    pub(super) meta: Vec<(&'a str, &'a str)>,
}

/// What has been met so far, going through a list from its end.
#[derive(Default)]
struct Met<'a> {
    removed: HashSet<&'a SessionId>,
    sessions: HashSet<&'a SessionId>,
    turns: HashSet<agcluster_protocol::TurnId>,
    cleared: HashSet<&'a SessionId>,
    freed_keys: HashSet<(String, &'a str)>,
    configs: HashSet<(String, &'a str)>,
    meta: HashSet<&'a str>,
}

impl<'a> Plan<'a> {
    /// Whether it is of events alone, as most are.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn is_of_events(&self) -> bool {
        let Self {
            removed,
            sessions,
            events: _,
            turns,
            cleared,
            transcript,
            freed_keys,
            keys,
            removed_configs,
            configs,
            audit,
            meta,
        } = self;
        removed.is_empty()
            && sessions.is_empty()
            && turns.is_empty()
            && cleared.is_empty()
            && transcript.is_empty()
            && freed_keys.is_empty()
            && keys.is_empty()
            && removed_configs.is_empty()
            && configs.is_empty()
            && audit.is_empty()
            && meta.is_empty()
    }

    /// What these changes come to.
    pub(super) fn of(changes: &'a [Change]) -> Self {
        let (mut plan, mut met) = (Self::default(), Met::default());
        let mut events: Vec<(&SessionId, &[Arc<Record>])> = Vec::new();
        for change in changes.iter().rev() {
            if change.session().is_some_and(|session| met.removed.contains(session)) {
                continue;
            }
            match change {
                Change::RemoveSession(session) => {
                    met.removed.insert(session);
                    plan.removed.push(session);
                }
                Change::Session(record) => {
                    if met.sessions.insert(&record.id) {
                        plan.sessions.push(record);
                    }
                }
                Change::Events { session, records } => events.push((session, records)),
                Change::Turn(record) => {
                    if met.turns.insert(record.id) {
                        plan.turns.push(record);
                    }
                }
                Change::ClearTranscript(session) => {
                    if met.cleared.insert(session) {
                        plan.cleared.push(session);
                    }
                }
                Change::Transcript { session, seq, chunk } => {
                    if !met.cleared.contains(session) {
                        plan.transcript.push((session, *seq, chunk));
                    }
                }
                Change::RemoveIdempotency { owner, key } => {
                    if met.freed_keys.insert((owner.to_hex(), key)) {
                        plan.freed_keys.push((*owner, key));
                    }
                }
                Change::Idempotency(record) => {
                    if !met.freed_keys.contains(&(record.owner.to_hex(), record.key.as_str())) {
                        plan.keys.push(record);
                    }
                }
                Change::Config(record) => {
                    if met.configs.insert((record.owner.to_hex(), &record.id)) {
                        plan.configs.push(record);
                    }
                }
                Change::RemoveConfig { owner, id } => {
                    if met.configs.insert((owner.to_hex(), id)) {
                        plan.removed_configs.push((*owner, id));
                    }
                }
                Change::Audit(record) => plan.audit.push(record),
                Change::Meta { key, value } => {
                    if met.meta.insert(key) {
                        plan.meta.push((key, value));
                    }
                }
            }
        }
        plan.sessions.reverse();
        plan.transcript.reverse();
        plan.keys.reverse();
        plan.turns.reverse();
        plan.audit.reverse();
        plan.events = by_session(events);
        plan
    }
}

impl Change {
    /// The session that this goes with when it is removed.
    fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Events { session, .. }
            | Self::Transcript { session, .. }
            | Self::RemoveSession(session)
            | Self::ClearTranscript(session) => Some(session),
            Self::Session(record) => Some(&record.id),
            Self::Turn(record) => Some(&record.session),
            Self::Idempotency(record) => Some(&record.session),
            Self::RemoveIdempotency { .. }
            | Self::Config(_)
            | Self::RemoveConfig { .. }
            | Self::Audit(_)
            | Self::Meta { .. } => None,
        }
    }
}

/// Puts together what belongs to one session, from a list that goes backwards.
fn by_session<'a>(backwards: Vec<(&'a SessionId, &'a [Arc<Record>])>) -> EventsOf<'a> {
    let mut places: HashMap<&SessionId, usize> = HashMap::new();
    let mut events: EventsOf<'_> = Vec::new();
    for (session, records) in backwards.into_iter().rev() {
        let place = *places.entry(session).or_insert_with(|| {
            events.push((session, Vec::new()));
            events.len() - 1
        });
        if let Some((_, all)) = events.get_mut(place) {
            all.extend(records);
        }
    }
    events
}

/// Those of a session's events that are not there yet, the newest there being `head`.
///
/// # Errors
/// [`StoreError::Broken`] for a gap.
pub(super) fn fresh<'a>(
    session: &SessionId,
    mut head: u64,
    records: &[&'a Arc<Record>],
) -> Result<Vec<&'a Arc<Record>>> {
    let mut fresh = Vec::with_capacity(records.len());
    for record in records {
        let seq = record.seq();
        if seq > head {
            if seq != head + 1 {
                return Err(StoreError::Broken(format!(
                    "event {seq} of session {session} would follow event {head}"
                )));
            }
            head = seq;
            fresh.push(*record);
        }
    }
    Ok(fresh)
}

/// That a change is about a session that is not there.
pub(super) fn unknown(what: &str, session: &SessionId) -> StoreError {
    StoreError::Broken(format!("{what} of session {session}, which is not there"))
}

/// That a key of a request is another request's already.
pub(super) fn conflict(record: &IdempotencyRecord) -> StoreError {
    StoreError::Conflict { owner: record.owner, key: record.key.clone() }
}

impl IdempotencyRecord {
    /// Whether both say the same of their request.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.session == other.session && self.turn == other.turn
    }
}
