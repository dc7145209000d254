//! A store that lives as long as its process.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agcluster_protocol::TurnId;
use async_trait::async_trait;
use jiff::Timestamp;

use super::plan::{EventsOf, Plan, conflict, fresh, unknown};
use super::{
    AuditRecord, Change, ConfigRecord, Extent, IdempotencyRecord, Result, Retention, Store, TranscriptChunk,
    TurnRecord,
};
use crate::journal::Record;
use crate::session::{Owner, SessionId, SessionRecord};

/// A store in memory, for tests and for those who embed this library and need nothing to last. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

/// An owner's digest and a name that is the owner's to choose.
type Named = (String, String);

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Kept>,
    turns: BTreeMap<TurnId, TurnRecord>,
    keys: HashMap<Named, IdempotencyRecord>,
    configs: BTreeMap<Named, ConfigRecord>,
    audit: Audit,
    meta: HashMap<String, String>,
}

/// Everything of one session.
#[derive(Debug)]
struct Kept {
    record: SessionRecord,
    events: VecDeque<Arc<Record>>,
    bytes: u64,
    /// Place of the newest event that came from an agent server, and its generation and number there.
    source: Option<(u64, u32, u64)>,
    transcript: BTreeMap<u64, TranscriptChunk>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(owner: &Owner, name: &str) -> Named {
    (owner.to_hex(), name.to_owned())
}

impl Kept {
    fn of(record: SessionRecord) -> Self {
        Self { record, events: VecDeque::new(), bytes: 0, source: None, transcript: BTreeMap::new() }
    }

    fn head(&self) -> u64 {
        self.events.back().map_or(0, |record| record.seq())
    }

    fn append(&mut self, record: &Arc<Record>) {
        self.bytes += record.json().len() as u64;
        if let Some(number) = record.source_seq {
            self.source = Some((record.seq(), record.event.generation, number));
        }
        self.events.push_back(record.clone());
    }

    fn trim(&mut self, retention: &Retention, oldest: Option<Timestamp>) -> u64 {
        let mut dropped = 0;
        while let Some(record) = self.events.front() {
            let kept = self.events.len() as u64;
            let needed = kept == 1 || self.source.is_some_and(|(place, ..)| place == record.seq());
            let surplus = self.bytes > retention.max_bytes
                || kept > retention.max_events
                || oldest.is_some_and(|oldest| record.event.at < oldest);
            if needed || !surplus {
                break;
            }
            self.bytes -= record.json().len() as u64;
            self.events.pop_front();
            dropped += 1;
        }
        dropped
    }
}

impl State {
    /// Fails when a plan cannot be made whole. Gives the events that are new.
    fn check<'a>(&self, plan: &Plan<'a>) -> Result<EventsOf<'a>> {
        let removed: HashSet<_> = plan.removed.iter().copied().collect();
        let put: HashSet<_> = plan.sessions.iter().map(|record| &record.id).collect();
        let kept = |session: &SessionId| self.sessions.get(session).filter(|_| !removed.contains(session));
        let known = |what: &str, session: &SessionId| {
            let known = put.contains(session) || kept(session).is_some();
            if known { Ok(()) } else { Err(unknown(what, session)) }
        };
        let mut new = Vec::with_capacity(plan.events.len());
        for (session, records) in &plan.events {
            known("events", session)?;
            new.push((*session, fresh(session, kept(session).map_or(0, Kept::head), records)?));
        }
        plan.turns.iter().try_for_each(|record| known("a turn", &record.session))?;
        plan.transcript.iter().try_for_each(|(session, ..)| known("a conversation", session))?;
        let freed: HashSet<_> = plan.freed_keys.iter().map(|(owner, key)| named(owner, key)).collect();
        let mut keys: HashMap<Named, &IdempotencyRecord> = HashMap::new();
        for record in &plan.keys {
            known("a request", &record.session)?;
            let name = named(&record.owner, &record.key);
            let there = self.keys.get(&name);
            let there = there.filter(|there| !removed.contains(&there.session) && !freed.contains(&name));
            let there = *keys.entry(name).or_insert(there.unwrap_or(record));
            if !there.agrees(record) {
                return Err(conflict(record));
            }
        }
        Ok(new)
    }

    fn remove(&mut self, session: &SessionId) {
        self.sessions.remove(session);
        self.turns.retain(|_, turn| turn.session != *session);
        self.keys.retain(|_, record| record.session != *session);
    }

    fn make(&mut self, plan: Plan<'_>, new: EventsOf<'_>) {
        for session in plan.removed {
            self.remove(session);
        }
        for record in plan.sessions {
            match self.sessions.get_mut(&record.id) {
                Some(kept) => kept.record = record.clone(),
                None => drop(self.sessions.insert(record.id.clone(), Kept::of(record.clone()))),
            }
        }
        for (session, records) in new {
            if let Some(kept) = self.sessions.get_mut(session) {
                records.into_iter().for_each(|record| kept.append(record));
            }
        }
        self.turns.extend(plan.turns.into_iter().map(|record| (record.id, record.clone())));
        for session in plan.cleared {
            if let Some(kept) = self.sessions.get_mut(session) {
                kept.transcript.clear();
            }
        }
        for (session, seq, chunk) in plan.transcript {
            if let Some(kept) = self.sessions.get_mut(session) {
                kept.transcript.entry(seq).or_insert_with(|| chunk.clone());
            }
        }
        for (owner, key) in plan.freed_keys {
            self.keys.remove(&named(&owner, key));
        }
        for record in plan.keys {
            self.keys.entry(named(&record.owner, &record.key)).or_insert_with(|| record.clone());
        }
        for (owner, id) in plan.removed_configs {
            self.configs.remove(&named(&owner, id));
        }
        for record in plan.configs {
            self.configs.insert(named(&record.owner, &record.id), record.clone());
        }
        plan.audit.into_iter().for_each(|record| self.audit.add(record));
        self.meta.extend(plan.meta.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: &[Change]) -> Result<()> {
        let plan = Plan::of(changes);
        let mut state = self.state();
        let new = state.check(&plan)?;
        state.make(plan, new);
        Ok(())
    }

    async fn events(
        &self,
        session: &SessionId,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Record>>> {
        let state = self.state();
        let Some(kept) = state.sessions.get(session) else { return Ok(Vec::new()) };
        let begin = kept.events.partition_point(|record| record.seq() <= after);
        let mut bytes = 0;
        let page = kept.events.range(begin..).take(limit).take_while(|record| {
            let fits = bytes < max_bytes.max(1);
            bytes += record.json().len();
            fits
        });
        Ok(page.cloned().collect())
    }

    async fn extent(&self, session: &SessionId) -> Result<Extent> {
        let state = self.state();
        let Some(kept) = state.sessions.get(session) else { return Ok(Extent::default()) };
        Ok(Extent {
            earliest: kept.events.front().map_or(0, |record| record.seq()),
            head: kept.head(),
            source: kept.source.map(|(_, generation, number)| (generation, number)),
            bytes: kept.bytes,
        })
    }

    async fn trim(&self, session: &SessionId, retention: &Retention) -> Result<u64> {
        let oldest = retention.oldest(Timestamp::now());
        let mut state = self.state();
        Ok(state.sessions.get_mut(session).map_or(0, |kept| kept.trim(retention, oldest)))
    }

    async fn sessions(&self) -> Result<Vec<SessionRecord>> {
        Ok(self.state().sessions.values().map(|kept| kept.record.clone()).collect())
    }

    async fn open_turns(&self) -> Result<Vec<TurnRecord>> {
        let state = self.state();
        Ok(state.turns.values().filter(|turn| turn.state.is_open()).cloned().collect())
    }

    async fn turn(&self, id: TurnId) -> Result<Option<TurnRecord>> {
        Ok(self.state().turns.get(&id).cloned())
    }

    async fn turns(
        &self,
        owner: &Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>> {
        let state = self.state();
        let wanted = |turn: &&TurnRecord| {
            turn.owner == *owner
                && session.is_none_or(|session| turn.session == *session)
                && before.is_none_or(|before| turn.id < before)
        };
        Ok(state.turns.values().rev().filter(wanted).take(limit).cloned().collect())
    }

    async fn transcript(&self, session: &SessionId) -> Result<Vec<TranscriptChunk>> {
        let state = self.state();
        Ok(state
            .sessions
            .get(session)
            .map_or_else(Vec::new, |kept| kept.transcript.values().cloned().collect()))
    }

    async fn idempotency(&self, owner: &Owner, key: &str) -> Result<Option<IdempotencyRecord>> {
        Ok(self.state().keys.get(&named(owner, key)).cloned())
    }

    async fn configs(&self) -> Result<Vec<ConfigRecord>> {
        Ok(self.state().configs.values().cloned().collect())
    }

    async fn audit(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, AuditRecord)>> {
        Ok(self.state().audit.page(owner, before, limit))
    }

    async fn meta(&self, key: &str) -> Result<Option<String>> {
        Ok(self.state().meta.get(key).cloned())
    }
}

/// Audit rows, numbered from 1. None is there twice.
#[derive(Debug, Default)]
struct Audit {
    rows: Vec<AuditRecord>,
    places: HashMap<Timestamp, Vec<usize>>,
}

impl Audit {
    fn add(&mut self, record: &AuditRecord) {
        let same_time = self.places.entry(record.at).or_default();
        if !same_time.iter().any(|&place| self.rows.get(place) == Some(record)) {
            same_time.push(self.rows.len());
            self.rows.push(record.clone());
        }
    }

    fn page(&self, owner: &Owner, before: Option<u64>, limit: usize) -> Vec<(u64, AuditRecord)> {
        let numbered = (1u64..).zip(&self.rows);
        let mut page: Vec<_> = numbered
            .take_while(|(number, _)| before.is_none_or(|before| *number < before))
            .filter(|(_, record)| record.owner == *owner)
            .map(|(number, record)| (number, record.clone()))
            .collect();
        page.reverse();
        page.truncate(limit);
        page
    }
}
