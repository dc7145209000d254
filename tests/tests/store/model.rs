//! Random changes against a model that keeps everything in plain maps and makes changes one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use agcluster_core::journal::Record;
use agcluster_core::session::SessionId;
use agcluster_core::store::{
    Change, Extent, IdempotencyRecord, Retention, StoreError, TranscriptChunk, TurnRecord, TurnState,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::make::{event, key, owner, put, put_turn, said, session, turn};
use crate::place::Place;

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Act>),
    Again,
    Trim(u8, u64),
    Reopen,
}

/// A change, with small numbers for names.
#[derive(Debug, Clone, Copy)]
enum Act {
    Put(u8),
    Remove(u8),
    /// To a session so many events, beginning so far from its newest.
    Events(u8, u8, i8),
    Turn(u8, u8, bool),
    Said(u8, u8),
    Clear(u8),
    Key(u8, u8, u8),
    FreeKey(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let s = 0..3u8;
    prop_oneof![
        3 => s.clone().prop_map(Act::Put),
        1 => s.clone().prop_map(Act::Remove),
        8 => (s.clone(), 0..6u8, prop_oneof![20 => Just(0i8), 3 => -3..0i8, 1 => Just(1i8)])
            .prop_map(|(s, n, from)| Act::Events(s, n, from)),
        2 => (s.clone(), 0..4u8, any::<bool>()).prop_map(|(s, t, open)| Act::Turn(s, t, open)),
        2 => (s.clone(), 1..9u8).prop_map(|(s, n)| Act::Said(s, n)),
        1 => s.clone().prop_map(Act::Clear),
        1 => (s, 0..3u8, 0..2u8).prop_map(|(s, k, f)| Act::Key(s, k, f)),
        1 => (0..3u8).prop_map(Act::FreeKey),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop::collection::vec(act(), 1..8).prop_map(Step::Commit),
        2 => Just(Step::Again),
        2 => (0..3u8, 0..6u64).prop_map(|(s, n)| Step::Trim(s, n)),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 5..40)
}

/// What should be there.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    sessions: BTreeMap<SessionId, Kept>,
    turns: BTreeMap<agcluster_core::protocol::TurnId, TurnRecord>,
    keys: BTreeMap<String, IdempotencyRecord>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Kept {
    /// The oldest that was not trimmed, less one.
    trimmed: u64,
    head: u64,
    chunks: BTreeMap<u64, TranscriptChunk>,
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Broken,
    Conflict,
}

impl Model {
    /// Makes changes one after the other: removals first, then sessions, then the rest, without what is undone later.
    fn commit(&mut self, changes: &[Change]) -> Result<(), Refused> {
        let mut next = self.clone();
        let removed_after = |place: usize, session: &SessionId| {
            changes[place + 1..]
                .iter()
                .any(|change| matches!(change, Change::RemoveSession(other) if other == session))
        };
        for change in changes {
            if let Change::RemoveSession(session) = change {
                next.sessions.remove(session);
                next.turns.retain(|_, turn| turn.session != *session);
                next.keys.retain(|_, record| record.session != *session);
            }
        }
        for (place, change) in changes.iter().enumerate() {
            if let Change::Session(record) = change
                && !removed_after(place, &record.id)
            {
                next.sessions.entry(record.id.clone()).or_default();
            }
        }
        for (place, change) in changes.iter().enumerate() {
            match change {
                Change::Events { session, records } if !removed_after(place, session) => {
                    let kept = next.sessions.get_mut(session).ok_or(Refused::Broken)?;
                    for record in records {
                        match record.seq() {
                            seq if seq <= kept.head => {}
                            seq if seq == kept.head + 1 => kept.head = seq,
                            _ => return Err(Refused::Broken),
                        }
                    }
                }
                Change::Turn(record) if !removed_after(place, &record.session) => {
                    let last = !changes[place + 1..].iter().any(|later| {
                        matches!(later, Change::Turn(other) if other.id == record.id
                            && !removed_after(place, &other.session))
                    });
                    if last {
                        next.sessions.get(&record.session).ok_or(Refused::Broken)?;
                        next.turns.insert(record.id, (**record).clone());
                    }
                }
                Change::Transcript { session, seq, chunk } if !removed_after(place, session) => {
                    let cleared = changes[place + 1..]
                        .iter()
                        .any(|later| matches!(later, Change::ClearTranscript(other) if other == session));
                    if !cleared {
                        let kept = next.sessions.get_mut(session).ok_or(Refused::Broken)?;
                        kept.chunks.entry(*seq).or_insert_with(|| chunk.clone());
                    }
                }
                Change::ClearTranscript(session) if !removed_after(place, session) => {
                    if let Some(kept) = next.sessions.get_mut(session) {
                        kept.chunks.clear();
                    }
                }
                Change::Idempotency(record) if !removed_after(place, &record.session) => {
                    let freed = changes[place + 1..].iter().any(
                        |later| matches!(later, Change::RemoveIdempotency { key, .. } if *key == record.key),
                    );
                    if !freed {
                        next.sessions.get(&record.session).ok_or(Refused::Broken)?;
                        let kept = next.keys.entry(record.key.clone()).or_insert_with(|| record.clone());
                        if kept.fingerprint != record.fingerprint || kept.session != record.session {
                            return Err(Refused::Conflict);
                        }
                    }
                }
                Change::RemoveIdempotency { key, .. } => drop(next.keys.remove(key)),
                _ => {}
            }
        }
        *self = next;
        Ok(())
    }

    fn head(&self, session: &SessionId) -> u64 {
        self.sessions.get(session).map_or(0, |kept| kept.head)
    }
}

/// The names behind the small numbers.
struct Names {
    turns: Vec<agcluster_core::protocol::TurnId>,
}

fn numbered(seq: u64) -> Arc<Record> {
    event(seq, usize::try_from(seq % 7).unwrap(), (!seq.is_multiple_of(3)).then_some(seq))
}

impl Names {
    fn changes(&self, acts: &[Act], model: &Model) -> Vec<Change> {
        // Events of one list follow one another.
        let mut heads: BTreeMap<SessionId, u64> = BTreeMap::new();
        let name = |number: u8| session(&format!("s{number}"));
        let change = |act: &Act| match *act {
            Act::Put(s) => put(&name(s)),
            Act::Remove(s) => {
                heads.insert(name(s).id, 0);
                Change::RemoveSession(name(s).id)
            }
            Act::Events(s, count, from) => {
                let id = name(s).id;
                let head = heads.entry(id.clone()).or_insert_with(|| model.head(&id));
                let first = head.saturating_add_signed(i64::from(from)) + 1;
                let last = first + u64::from(count);
                *head = last.saturating_sub(1).max(*head);
                Change::Events { session: id, records: (first..last).map(numbered).collect() }
            }
            Act::Turn(s, number, open) => {
                let mut record = turn(&name(s), if open { TurnState::Running } else { TurnState::Ended });
                record.id = self.turns[usize::from(number)];
                put_turn(&record)
            }
            Act::Said(s, seq) => said(&name(s).id, seq.into(), &format!("{seq}")),
            Act::Clear(s) => Change::ClearTranscript(name(s).id),
            Act::Key(s, k, f) => Change::Idempotency(key(&name(s).id, &format!("k{k}"), &format!("{f}"))),
            Act::FreeKey(k) => Change::RemoveIdempotency { owner: owner("a"), key: format!("k{k}") },
        };
        acts.iter().map(change).collect()
    }
}

async fn check(place: &Place, model: &Model) {
    let store = &place.store;
    let mut ids: Vec<_> = store.sessions().await.unwrap().into_iter().map(|record| record.id).collect();
    ids.sort();
    assert!(ids.iter().eq(model.sessions.keys()), "{ids:?}");
    for number in 0..3 {
        let id = SessionId::from_text(format!("s{number}"));
        let Some(kept) = model.sessions.get(&id) else {
            assert_eq!(store.extent(&id).await.unwrap(), Extent::default());
            continue;
        };
        let events = store.events(&id, 0, usize::MAX, usize::MAX).await.unwrap();
        let expected: Vec<_> = (kept.trimmed + 1..=kept.head).map(numbered).collect();
        assert!(events.iter().map(|record| record.json()).eq(expected.iter().map(|record| record.json())));
        let source = (1..=kept.head).rev().find(|seq| !seq.is_multiple_of(3)).map(|seq| (3, seq));
        let bytes = expected.iter().map(|record| record.json().len() as u64).sum();
        let earliest = if kept.head == 0 { 0 } else { kept.trimmed + 1 };
        assert_eq!(store.extent(&id).await.unwrap(), Extent { earliest, head: kept.head, source, bytes });
        let chunks = store.transcript(&id).await.unwrap();
        assert!(chunks.iter().eq(kept.chunks.values()));
    }
    let turns = store.turns(&owner("a"), None, None, 99).await.unwrap();
    assert!(turns.iter().rev().eq(model.turns.values()), "{turns:?}");
    let open: Vec<_> = model.turns.values().filter(|turn| turn.state.is_open()).cloned().collect();
    assert_eq!(store.open_turns().await.unwrap(), open);
    for number in 0..3 {
        let name = format!("k{number}");
        assert_eq!(store.idempotency(&owner("a"), &name).await.unwrap().as_ref(), model.keys.get(&name));
    }
}

/// How many histories.
const HISTORIES: usize = 40;

pub(crate) async fn random_changes_do_what_the_model_does(mut place: Place) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let names = Names { turns: (0..4).map(|_| agcluster_core::protocol::TurnId::generate()).collect() };
    let (mut made, mut refused) = (0, 0);
    for number in 0..HISTORIES {
        let steps = history().new_tree(&mut runner).unwrap().current();
        let mut model = Model::default();
        let clear: Vec<_> =
            (0..3).map(|s| Change::RemoveSession(SessionId::from_text(format!("s{s}")))).collect();
        place.store.commit(&clear).await.unwrap();
        let mut last = Vec::new();
        for step in &steps {
            match step {
                Step::Commit(acts) => {
                    let changes = names.changes(acts, &model);
                    let expected = model.commit(&changes);
                    let done = place.store.commit(&changes).await;
                    let done = done.map_err(|error| match error {
                        StoreError::Broken(_) => Refused::Broken,
                        StoreError::Conflict { .. } => Refused::Conflict,
                        other => panic!("{other}"),
                    });
                    let fits = done.is_ok() == expected.is_ok();
                    assert!(fits, "history {number}: {done:?} for {expected:?}: {changes:?}");
                    if done.is_ok() {
                        last = changes;
                        made += 1;
                    } else {
                        refused += 1;
                    }
                }
                Step::Again => {
                    let trimmed: BTreeMap<_, _> =
                        model.sessions.iter().map(|(id, kept)| (id.clone(), kept.trimmed)).collect();
                    place.store.commit(&last).await.unwrap();
                    model.commit(&last).unwrap();
                    for (id, kept) in &mut model.sessions {
                        // Made anew, if the list removed it.
                        let removed = last
                            .iter()
                            .any(|change| matches!(change, Change::RemoveSession(other) if other == id));
                        kept.trimmed = if removed { 0 } else { trimmed.get(id).copied().unwrap_or(0) };
                    }
                }
                Step::Trim(s, max_events) => {
                    let id = SessionId::from_text(format!("s{s}"));
                    let retention = Retention { max_events: *max_events, max_bytes: u64::MAX, max_age: None };
                    let dropped = place.store.trim(&id, &retention).await.unwrap();
                    if let Some(kept) = model.sessions.get_mut(&id) {
                        let newest_of_agent = (1..=kept.head).rev().find(|seq| !seq.is_multiple_of(3));
                        let most =
                            kept.head.saturating_sub(1).min(newest_of_agent.map_or(u64::MAX, |seq| seq - 1));
                        let to = kept.head.saturating_sub(*max_events).min(most).max(kept.trimmed);
                        assert_eq!(dropped, to - kept.trimmed);
                        kept.trimmed = to;
                    }
                }
                Step::Reopen => place.reopen().await,
            }
            check(&place, &model).await;
        }
    }
    assert!(made > HISTORIES && refused > HISTORIES, "{made} made, {refused} refused");
}
