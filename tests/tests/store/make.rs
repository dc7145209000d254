//! Things to keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use agcluster_core::journal::{Entry, Record};
use agcluster_core::protocol::{AgentOptions, DriverKind, Event, EventBody, Secret, TurnId};
use agcluster_core::provider::Resources;
use agcluster_core::session::{
    AgentId, AgentSpec, ApprovalPolicy, Owner, SessionId, SessionPolicy, SessionRecord, State,
};
use agcluster_core::store::{
    AuditRecord, Change, IdempotencyRecord, Store, Subject, TranscriptChunk, TurnRecord, TurnState,
};
use jiff::{Timestamp, ToSpan};
use serde_json::json;

pub(crate) fn owner(name: &str) -> Owner {
    Owner::of(&Secret::new(name))
}

/// A moment so many seconds into the test's time.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap() + second.seconds()
}

/// A session of the owner `a`.
pub(crate) fn session(name: &str) -> SessionRecord {
    let agent = AgentSpec {
        driver: DriverKind::Scripted,
        options: AgentOptions::default(),
        resources: Resources::default(),
        image: None,
    };
    SessionRecord {
        id: SessionId::from_text(name),
        agent_id: AgentId::generate(),
        config_id: "plain".to_owned(),
        owner: owner("a"),
        provider: "memory".to_owned(),
        candidates: Vec::new(),
        policy: SessionPolicy::default(),
        approvals: ApprovalPolicy::default(),
        disposable: false,
        files: std::collections::BTreeMap::new(),
        agent,
        model_base_url: None,
        repository: None,
        created_at: at(0),
        last_active: at(0),
        state: State::default(),
        facts: None,
    }
}

pub(crate) fn put(record: &SessionRecord) -> Change {
    Change::Session(Box::new(record.clone()))
}

/// A text of so many characters.
pub(crate) fn event(seq: u64, length: usize, source_seq: Option<u64>) -> Arc<Record> {
    let body = EventBody::TextDelta { block: 0, text: "x".repeat(length) };
    let turn = TurnId(uuid::Uuid::from_u128(7));
    let seconds = i64::try_from(seq).unwrap();
    let event = Event {
        seq: 0,
        generation: 3,
        at: at(seconds),
        turn: Some(turn),
        parent: None,
        extra: serde_json::Map::new(),
        body,
    };
    Arc::new(Record::new(seq, Entry { source_seq, event }))
}

pub(crate) fn events(session: &SessionId, numbers: std::ops::RangeInclusive<u64>) -> Change {
    let records = numbers.map(|seq| event(seq, 10, Some(seq + 100))).collect();
    Change::Events { session: session.clone(), records }
}

pub(crate) fn turn(session: &SessionRecord, state: TurnState) -> TurnRecord {
    TurnRecord {
        id: TurnId::generate(),
        session: session.id.clone(),
        owner: session.owner,
        state,
        prompt: Vec::new(),
        background: false,
        after: 0,
        created_at: at(1),
        ended_at: None,
        end: None,
        whole: false,
    }
}

pub(crate) fn put_turn(record: &TurnRecord) -> Change {
    Change::Turn(Box::new(record.clone()))
}

pub(crate) fn key(session: &SessionId, name: &str, fingerprint: &str) -> IdempotencyRecord {
    IdempotencyRecord {
        owner: owner("a"),
        key: name.to_owned(),
        fingerprint: fingerprint.to_owned(),
        session: session.clone(),
        turn: None,
        at: at(1),
    }
}

pub(crate) fn chunk(text: &str) -> TranscriptChunk {
    TranscriptChunk { path: "main.jsonl".to_owned(), entries: vec![json!({ "text": text, "n": 1.5 })] }
}

pub(crate) fn said(session: &SessionId, seq: u64, text: &str) -> Change {
    Change::Transcript { session: session.clone(), seq, chunk: chunk(text) }
}

pub(crate) fn audit(session: &SessionId, second: i64) -> AuditRecord {
    AuditRecord {
        at: at(second),
        owner: owner("a"),
        action: "session.launched".to_owned(),
        subject: Subject { session: session.clone(), turn: None, request: None },
    }
}

/// Everything that a store says of its sessions, to be compared.
pub(crate) async fn all(store: &dyn Store) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for record in store.sessions().await.unwrap() {
        let events = store.events(&record.id, 0, usize::MAX, usize::MAX).await.unwrap();
        let events: Vec<_> = events.iter().map(|event| (event.source_seq, event.json())).collect();
        let extent = store.extent(&record.id).await.unwrap();
        let chunks = store.transcript(&record.id).await.unwrap();
        let turns = store.turns(&record.owner, Some(&record.id), None, usize::MAX).await.unwrap();
        all.insert(record.id.to_string(), format!("{record:?} {events:?} {extent:?} {chunks:?} {turns:?}"));
    }
    for name in ["a", "b"] {
        let rows: Vec<_> = store.audit(&owner(name), None, usize::MAX).await.unwrap();
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        all.insert(format!("audit of {name}"), format!("{rows:?}"));
        let turns = store.turns(&owner(name), None, None, usize::MAX).await.unwrap();
        all.insert(format!("turns of {name}"), format!("{turns:?}"));
    }
    all.insert("open turns".to_owned(), format!("{:?}", store.open_turns().await.unwrap()));
    all.insert("configs".to_owned(), format!("{:?}", store.configs().await.unwrap()));
    all
}
