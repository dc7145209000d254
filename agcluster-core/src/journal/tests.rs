use std::sync::Mutex;

use agcluster_protocol::{DriverKind, EventBody, Secret, TurnId};
use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;

use super::*;
use crate::provider::Resources;
use crate::session::{AgentId, AgentSpec, Owner, SessionRecord, State};
use crate::store::{
    self, AuditRecord, ConfigRecord, Extent, IdempotencyRecord, MemoryStore, TranscriptChunk, TurnRecord,
};

/// A store that fails as it is told to, and counts its commits.
#[derive(Debug, Default)]
struct Moody {
    store: MemoryStore,
    fails: Mutex<Option<StoreError>>,
    commits: Mutex<usize>,
}

#[async_trait]
impl Store for Moody {
    async fn commit(&self, changes: &[Change]) -> store::Result<()> {
        *self.commits.lock().unwrap() += 1;
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        self.store.commit(changes).await
    }
    async fn events(
        &self,
        session: &SessionId,
        after: u64,
        limit: usize,
        bytes: usize,
    ) -> store::Result<Vec<Arc<Record>>> {
        self.store.events(session, after, limit, bytes).await
    }
    async fn extent(&self, session: &SessionId) -> store::Result<Extent> {
        self.store.extent(session).await
    }
    async fn trim(&self, session: &SessionId, retention: &Retention) -> store::Result<u64> {
        self.store.trim(session, retention).await
    }
    async fn sessions(&self) -> store::Result<Vec<SessionRecord>> {
        self.store.sessions().await
    }
    async fn open_turns(&self) -> store::Result<Vec<TurnRecord>> {
        self.store.open_turns().await
    }
    async fn turn(&self, id: TurnId) -> store::Result<Option<TurnRecord>> {
        self.store.turn(id).await
    }
    async fn turns(
        &self,
        owner: &Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> store::Result<Vec<TurnRecord>> {
        self.store.turns(owner, session, before, limit).await
    }
    async fn transcript(&self, session: &SessionId) -> store::Result<Vec<TranscriptChunk>> {
        self.store.transcript(session).await
    }
    async fn idempotency(&self, owner: &Owner, key: &str) -> store::Result<Option<IdempotencyRecord>> {
        self.store.idempotency(owner, key).await
    }
    async fn configs(&self) -> store::Result<Vec<ConfigRecord>> {
        self.store.configs().await
    }
    async fn audit(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: usize,
    ) -> store::Result<Vec<(u64, AuditRecord)>> {
        self.store.audit(owner, before, limit).await
    }
    async fn meta(&self, key: &str) -> store::Result<Option<String>> {
        self.store.meta(key).await
    }
}

fn record() -> SessionRecord {
    let now = Timestamp::now();
    let owner = Owner::of(&Secret::new("key"));
    SessionRecord {
        id: SessionId::generate(),
        agent_id: AgentId::generate(),
        config_id: "c".into(),
        owner,
        provider: "memory".into(),
        candidates: Vec::new(),
        agent: AgentSpec {
            driver: DriverKind::Scripted,
            options: agcluster_protocol::AgentOptions::default(),
            resources: Resources::default(),
            image: None,
        },
        policy: crate::session::SessionPolicy::default(),
        approvals: crate::session::ApprovalPolicy::default(),
        disposable: false,
        files: std::collections::BTreeMap::new(),
        model_base_url: None,
        repository: None,
        created_at: now,
        last_active: now,
        state: State::default(),
        facts: None,
    }
}

fn entries(texts: &[&str]) -> Vec<Entry> {
    let text = |text: &&str| EventBody::Text { message_id: None, text: (*text).to_owned() };
    texts.iter().map(|entry| Entry::own(1, None, text(entry))).collect()
}

async fn journal(retention: Retention) -> (Arc<Moody>, Journal, SessionId) {
    let store = Arc::new(Moody::default());
    let journal = Journal::new(Arc::clone(&store) as Arc<dyn Store>, retention);
    let record = record();
    let session = record.id.clone();
    journal.open(&session);
    journal.commit(vec![Change::Session(Box::new(record))], Patience::Short).await.unwrap();
    (store, journal, session)
}

async fn append(journal: &Journal, session: &SessionId, texts: &[&str], patience: Patience) -> Result<u64> {
    journal.append(session, entries(texts), Vec::new(), patience).await
}

async fn seqs(journal: &Journal, session: &SessionId, after: u64) -> Vec<u64> {
    journal.read(session, after, 1000).await.unwrap().iter().map(|record| record.seq()).collect()
}

#[tokio::test]
async fn what_is_appended_is_numbered_without_gaps_and_read_after_a_cursor() {
    let (_, journal, session) = journal(Retention::default()).await;
    assert_eq!(append(&journal, &session, &["a", "b"], Patience::Short).await.unwrap(), 2);
    assert_eq!(append(&journal, &session, &["c"], Patience::Short).await.unwrap(), 3);
    assert_eq!(seqs(&journal, &session, 1).await, [2, 3]);
    assert_eq!(seqs(&journal, &session, 3).await, [0; 0]);
    let error = journal.read(&session, 4, 1).await.unwrap_err();
    assert_eq!(error, JournalError::CursorInFuture { cursor: 4, head: 3 });
}

#[tokio::test]
async fn a_journal_goes_on_where_an_earlier_one_ended() {
    let (store, first, session) = journal(Retention::default()).await;
    append(&first, &session, &["a", "b"], Patience::Short).await.unwrap();
    let second = Journal::new(store, Retention::default());
    assert_eq!(append(&second, &session, &["c"], Patience::Short).await.unwrap(), 3);
    assert_eq!(seqs(&second, &session, 0).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_comes_at_once_shares_a_commit() {
    let (store, journal, session) = journal(Retention::default()).await;
    let before = *store.commits.lock().unwrap();
    let appends = (0..100).map(|_| append(&journal, &session, &["x"], Patience::Short));
    let mut numbers: Vec<u64> =
        futures::future::join_all(appends).await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=100));
    assert!(*store.commits.lock().unwrap() - before <= 3, "{} commits", store.commits.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn while_the_store_does_not_work_callers_are_told_and_events_wait() {
    let (store, journal, session) = journal(Retention::default()).await;
    *store.fails.lock().unwrap() = Some(StoreError::Unavailable("the disk is full".into()));
    let waiting = tokio::spawn({
        let (journal, session) = (journal.clone(), session.clone());
        async move { append(&journal, &session, &["not lost"], Patience::Endless).await }
    });
    journal.trouble().wait_for(Option::is_some).await.unwrap();
    let refused = append(&journal, &session, &["refused"], Patience::Short).await.unwrap_err();
    assert!(
        matches!(&refused, JournalError::Store(StoreError::Unavailable(why)) if why.contains("disk is full"))
    );
    assert_eq!(journal.head(&session).await.unwrap().borrow().seq, 0, "nothing is shown before it is kept");
    *store.fails.lock().unwrap() = None;
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
    assert_eq!(*journal.trouble().borrow(), None);
    assert_eq!(seqs(&journal, &session, 0).await, [1]);
}

#[tokio::test]
async fn a_change_that_cannot_be_kept_harms_no_other() {
    let (_, journal, session) = journal(Retention::default()).await;
    let unknown = SessionId::generate();
    let good = append(&journal, &session, &["good"], Patience::Short);
    let bad = append(&journal, &unknown, &["of nobody"], Patience::Short);
    let (good, bad) = tokio::join!(good, bad);
    assert_eq!(good.unwrap(), 1);
    assert!(matches!(bad.unwrap_err(), JournalError::Store(StoreError::Broken(_))));
}

#[tokio::test]
async fn a_cursor_that_retention_has_passed_is_told_where_to_go_on() {
    let retention = Retention { max_bytes: 2_000, ..Retention::default() };
    let (_, journal, session) = journal(retention).await;
    let text = "x".repeat(100);
    let mut slow = Box::pin(subscribe(journal.clone(), session.clone(), 0).await.unwrap());
    // More than is held in memory for those who follow.
    for _ in 0..50 {
        append(&journal, &session, &[&*text; 20], Patience::Short).await.unwrap();
    }
    let earliest = loop {
        match journal.read(&session, 0, 1).await {
            Err(JournalError::CursorExpired { earliest }) => break earliest,
            other => {
                other.unwrap();
                tokio::task::yield_now().await;
            }
        }
    };
    assert!(seqs(&journal, &session, earliest - 1).await.last() == Some(&1000));
    // Whoever follows too slowly is told too.
    assert!(matches!(slow.next().await, Some(Err(JournalError::CursorExpired { .. }))));
    assert!(slow.next().await.is_none());
}

#[tokio::test]
async fn a_reader_follows_from_any_cursor_until_the_end() {
    let (_, journal, session) = journal(Retention::default()).await;
    append(&journal, &session, &["a"], Patience::Short).await.unwrap();
    let readers = [0, 1].map(|after| {
        let (journal, session) = (journal.clone(), session.clone());
        tokio::spawn(async move {
            let records = subscribe(journal, session, after).await.unwrap();
            records.map(|record| record.unwrap().seq()).collect::<Vec<_>>().await
        })
    });
    for _ in 0..600 {
        append(&journal, &session, &["b"], Patience::Short).await.unwrap();
    }
    journal.close(&session, Duration::from_secs(60)).await;
    for (reader, after) in readers.into_iter().zip([0, 1]) {
        assert!(reader.await.unwrap().into_iter().eq(after + 1..=601));
    }
}
