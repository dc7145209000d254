//! A plan with the database's keys in the place of names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::heads::{Head, Heads};
use crate::journal::Record;
use crate::session::{SessionId, SessionRecord};
use crate::store::Result;
use crate::store::plan::{Plan, fresh, unknown};

/// What a plan does to sessions and their events, by key.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Sessions to remove, and their keys.
    pub(super) removed: Vec<(&'a SessionId, i64)>,
    /// Sessions to put.
    pub(super) sessions: Vec<(i64, &'a SessionRecord)>,
    /// The keys of those of them that are new.
    pub(super) created: Vec<i64>,
    /// Events to append.
    pub(super) events: Vec<(&'a SessionId, i64, &'a Arc<Record>)>,
    /// What the heads become that change.
    pub(super) heads: HashMap<&'a SessionId, Head>,
    /// The keys of all other sessions that something is put into.
    keys: HashMap<&'a SessionId, i64>,
}

impl<'a> Draft<'a> {
    /// # Errors
    /// [`StoreError::Broken`](crate::store::StoreError::Broken) when something is of a session that is not there, or
    /// events leave a gap.
    pub(super) fn of(plan: &Plan<'a>, heads: &Heads) -> Result<Self> {
        let gone: HashSet<_> = plan.removed.iter().copied().collect();
        let there = |session: &SessionId| heads.get(session).copied().filter(|_| !gone.contains(session));
        let removed = plan.removed.iter();
        let mut draft = Self {
            removed: removed.filter_map(|session| Some((*session, heads.get(session)?.key))).collect(),
            sessions: Vec::with_capacity(plan.sessions.len()),
            created: Vec::new(),
            events: Vec::with_capacity(plan.events.len()),
            heads: HashMap::with_capacity(plan.events.len()),
            keys: HashMap::new(),
        };
        let mut last_key = heads.last_key();
        for record in &plan.sessions {
            let key = if let Some(head) = there(&record.id) {
                head.key
            } else {
                last_key += 1;
                draft.created.push(last_key);
                draft.heads.insert(&record.id, Head::new(last_key));
                last_key
            };
            draft.sessions.push((key, record));
        }
        for (session, records) in &plan.events {
            let head = draft.heads.get(session).copied().or_else(|| there(session));
            let mut head = head.ok_or_else(|| unknown("events", session))?;
            let new = fresh(session, head.head, records)?;
            if !new.is_empty() {
                for record in new {
                    head.append(record);
                    draft.events.push((session, head.key, record));
                }
                draft.heads.insert(session, head);
            }
        }
        let turns = plan.turns.iter().map(|record| ("a turn", &record.session));
        let chunks = plan.transcript.iter().map(|(session, ..)| ("a conversation", *session));
        let keys = plan.keys.iter().map(|record| ("a request", &record.session));
        for (what, session) in turns.chain(chunks).chain(keys) {
            let head = draft.heads.get(session).copied().or_else(|| there(session));
            draft.keys.insert(session, head.ok_or_else(|| unknown(what, session))?.key);
        }
        Ok(draft)
    }

    /// The key of a session that something is put into.
    pub(super) fn key(&self, session: &SessionId) -> Result<i64> {
        self.keys.get(session).copied().ok_or_else(|| unknown("something", session))
    }

    /// Tells the heads that this was made.
    pub(super) fn tell(self, heads: &mut Heads, keeps_recent: bool) {
        for (session, _) in self.removed {
            heads.remove(session);
        }
        if keeps_recent {
            for (session, key, record) in self.events {
                let head = heads.get(session).copied().unwrap_or_else(|| Head::new(key));
                heads.recent.push(session, head, Arc::clone(record));
            }
        }
        for (session, head) in self.heads {
            heads.put(session.clone(), head);
        }
    }
}
