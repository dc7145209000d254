//! Sessions over the ends of the application that holds them: what one run wrote down, the next one finds true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::agent::TokenKey;
use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::journal::{JournalError, Record};
use agcluster_core::protocol::{EventBody, FailureReason, ModelAccess, Outcome, PromptBlock, Secret, TurnId};
use agcluster_core::provider::{ContainerProvider, ErrorKind, ListFilter, ProviderSet};
use agcluster_core::session::{
    Idempotency, IdleAction, IdlePolicy, Launch, Owner, Progress, Session, SessionError, SessionId, Sessions,
    Status, TurnRequest, WhenBusy,
};
use agcluster_core::store::{AuditRecord, Change, MemoryStore, Store, Subject, TurnState};
use agcluster_providers::memory::{MemoryConfig, MemoryProvider};
use futures::StreamExt;
use jiff::Timestamp;

/// A platform and a store, which outlive the applications over them.
struct World {
    provider: MemoryProvider,
    store: Arc<MemoryStore>,
}

impl World {
    fn new() -> Self {
        Self { provider: MemoryProvider::new(MemoryConfig::default()), store: Arc::new(MemoryStore::new()) }
    }

    /// An application as it is after its start, before it has looked at the platform.
    async fn start(&self) -> Sessions {
        let sessions = Sessions::builder(ProviderSet::of(Arc::new(self.provider.clone())))
            .store(Arc::clone(&self.store) as Arc<dyn Store>)
            .token_key(TokenKey::from_secret(&Secret::new("the same in each run")))
            .build()
            .unwrap();
        sessions.recover().await.unwrap();
        sessions
    }

    /// The next application, which has adopted what there is.
    async fn restart(&self, earlier: Sessions) -> Sessions {
        earlier.release().await;
        let sessions = self.start().await;
        sessions.adopt().await;
        sessions
    }

    async fn containers(&self) -> usize {
        self.provider.list(ListFilter::default()).await.unwrap().len()
    }
}

fn launch() -> Launch {
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    Launch::new(&config, options, Owner::of(&key()))
}

fn key() -> Secret {
    Secret::new("key")
}

fn say(prompt: &str) -> TurnRequest {
    TurnRequest::new(vec![PromptBlock::text(prompt)])
}

fn named(key: &str, fingerprint: &str) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned() })
}

async fn until(session: &Session, after: u64, wanted: impl Fn(&EventBody) -> bool) -> Arc<Record> {
    let mut events = session.events(after).await.unwrap();
    loop {
        let record = events.next().await.unwrap().unwrap();
        if wanted(&record.event.body) {
            return record;
        }
    }
}

async fn status(session: &Session, wanted: impl Fn(&Status) -> bool) {
    session.state().wait_for(|state| wanted(&state.status)).await.unwrap();
}

/// How the turns of a session ended, in order.
async fn ends(session: &Session) -> Vec<(TurnId, Outcome)> {
    let records = session.read(0, 10_000).await.unwrap();
    let end = |record: &Arc<Record>| match (&record.event.body, record.event.turn) {
        (EventBody::TurnEnded(end), Some(turn)) => Some((turn, end.outcome.clone())),
        _ => None,
    };
    records.iter().filter_map(end).collect()
}

fn is_gapless(records: &[Arc<Record>]) -> bool {
    records.iter().zip(1..).all(|(record, seq)| record.seq() == seq)
}

async fn open_gate(session: &Arc<Session>) {
    let answer = serde_json::json!({ "request_id": "go", "decision": "answers", "answers": {} });
    session.answer(&serde_json::from_value(answer).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_turn_goes_on_over_a_restart_and_loses_and_repeats_nothing() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    let turn = session.begin(say("@@stream 50\n@@gate go\n@@stream 50")).await.unwrap().id();
    until(&session, 0, |body| matches!(body, EventBody::QuestionAsked { .. })).await;
    let second = world.restart(first).await;
    let session = second.get(session.id()).unwrap();
    assert_eq!(session.info().state.turn, Some(turn));
    open_gate(&session).await;
    until(&session, 0, |body| matches!(body, EventBody::TurnEnded(_))).await;
    assert_eq!(ends(&session).await, [(turn, Outcome::Completed)]);
    let records = session.read(0, 10_000).await.unwrap();
    assert!(is_gapless(&records));
    let sources: Vec<u64> = records.iter().filter_map(|record| record.source_seq).collect();
    assert!(sources.iter().zip(1..).all(|(source, seq)| *source == seq), "{sources:?}");
    assert_eq!(second.turn(turn, Owner::of(&key())).await.unwrap().0.state, TurnState::Ended);
}

#[tokio::test]
async fn a_turn_that_was_promised_but_not_handed_over_runs_once_after_a_restart() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    let container = session.info().state.container.unwrap();
    world.provider.refuse_connections(&container, true);
    let turn = session.begin(say("@@say once")).await.unwrap().id();
    world.provider.refuse_connections(&container, false);
    let second = world.restart(first).await;
    let session = second.get(session.id()).unwrap();
    until(&session, 0, |body| matches!(body, EventBody::TurnEnded(_))).await;
    assert_eq!(ends(&session).await, [(turn, Outcome::Completed)]);
}

#[tokio::test]
async fn messages_wait_their_turn_in_order_also_over_a_restart() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    let mut turns = vec![session.begin(say("@@gate go")).await.unwrap().id()];
    until(&session, 0, |body| matches!(body, EventBody::QuestionAsked { .. })).await;
    for text in ["@@say two", "@@say three"] {
        let request = TurnRequest { when_busy: WhenBusy::Queue, ..say(text) };
        turns.push(session.begin(request).await.unwrap().id());
    }
    let taken_back =
        session.begin(TurnRequest { when_busy: WhenBusy::Queue, ..say("@@say never") }).await.unwrap();
    assert!(session.unqueue(taken_back.id()).await.unwrap());
    assert!(!session.unqueue(taken_back.id()).await.unwrap());
    assert_eq!(session.info().queued, turns[1..]);
    let second = world.restart(first).await;
    let session = second.get(session.id()).unwrap();
    assert_eq!(session.info().queued, turns[1..]);
    open_gate(&session).await;
    let last = *turns.last().unwrap();
    let mut events = session.events(0).await.unwrap();
    while let Some(record) = events.next().await {
        let record = record.unwrap();
        if record.event.is_terminal() && record.event.turn == Some(last) {
            break;
        }
    }
    let mut expected = vec![(taken_back.id(), Outcome::Interrupted)];
    expected.extend(turns.iter().map(|turn| (*turn, Outcome::Completed)));
    assert_eq!(ends(&session).await, expected);
}

#[tokio::test]
async fn a_request_with_the_same_name_gives_the_same_turn_also_after_a_restart() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(Launch { idempotency: named("launch", "x"), ..launch() }).await.unwrap();
    let request =
        |fingerprint: &str| TurnRequest { idempotency: named("turn", fingerprint), ..say("@@say once") };
    let turn = session.begin(request("x")).await.unwrap().id();
    until(&session, 0, |body| matches!(body, EventBody::TurnEnded(_))).await;
    let second = world.restart(first).await;
    let again = second.launch(Launch { idempotency: named("launch", "x"), ..launch() }).await.unwrap();
    assert_eq!(again.id(), session.id());
    let other = second.launch(Launch { idempotency: named("launch", "y"), ..launch() }).await;
    assert!(matches!(other.unwrap_err(), SessionError::IdempotencyMismatch));
    let replay = again.begin(request("x")).await.unwrap();
    assert_eq!(replay.id(), turn);
    let records: Vec<_> = replay.map(Result::unwrap).collect().await;
    assert!(records.last().unwrap().event.is_terminal());
    assert!(matches!(again.begin(request("y")).await.unwrap_err(), SessionError::IdempotencyMismatch));
    assert_eq!(ends(&again).await.len(), 1);
    assert_eq!(world.containers().await, 1);
}

#[tokio::test]
async fn two_requests_of_one_name_at_once_make_one_session() {
    let world = World::new();
    let sessions = world.start().await;
    let launch = || sessions.launch(Launch { idempotency: named("launch", "x"), ..launch() });
    let (one, other) = tokio::join!(launch(), launch());
    assert_eq!(one.unwrap().id(), other.unwrap().id());
    assert_eq!(world.containers().await, 1);
}

#[tokio::test]
async fn two_messages_of_one_name_at_once_are_one_turn() {
    let world = World::new();
    let sessions = world.start().await;
    let session = sessions.launch(launch()).await.unwrap();
    let request = || TurnRequest { idempotency: named("turn", "x"), ..say("@@say once") };
    let (one, other) = tokio::join!(session.begin(request()), session.begin(request()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.id(), other.id());
    one.collect::<Vec<_>>().await;
    assert_eq!(ends(&session).await.len(), 1);
}

/// A launch that was cut off after it was written down.
async fn cut_off(world: &World, launch: Launch) -> SessionId {
    let sessions = world.start().await;
    let session = sessions.launch(launch).await.unwrap();
    let mut record = world.store.sessions().await.unwrap().pop().unwrap();
    sessions.release().await;
    let container = record.state.container.take().unwrap();
    world.provider.destroy(&container, agcluster_core::provider::DestroyOptions::default()).await.unwrap();
    record.state.status = Status::Starting;
    record.state.instance = None;
    world.store.commit(&[Change::Session(Box::new(record))]).await.unwrap();
    session.id().clone()
}

#[tokio::test]
async fn a_launch_that_was_cut_off_is_finished() {
    let world = World::new();
    let id = cut_off(&world, launch()).await;
    let sessions = world.start().await;
    sessions.adopt().await;
    let session = sessions.get(&id).unwrap();
    status(&session, |status| *status == Status::Running).await;
    session.chat(vec![PromptBlock::text("@@say here")]).await.unwrap();
    assert_eq!(world.containers().await, 1);
}

#[tokio::test]
async fn a_restart_that_was_cut_off_is_finished_with_the_conversation() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    session.begin(say("@@say remember me")).await.unwrap().collect::<Vec<_>>().await;
    first.release().await;
    // Written down, and nothing done yet: the container of the past generation still runs.
    let mut record = world.store.sessions().await.unwrap().pop().unwrap();
    record.state.status = Status::Starting;
    record.state.generation += 1;
    record.state.instance = None;
    world.store.commit(&[Change::Session(Box::new(record))]).await.unwrap();
    let second = world.start().await;
    second.adopt().await;
    let session = second.get(session.id()).unwrap();
    status(&session, |status| *status == Status::Running).await;
    assert_eq!((session.info().state.generation, world.containers().await), (2, 1));
    let records: Vec<_> = session.begin(say("@@recall")).await.unwrap().map(Result::unwrap).collect().await;
    assert!(records.iter().any(
        |record| matches!(&record.event.body, EventBody::Text { text, .. } if text.contains("remember me"))
    ));
}

#[tokio::test]
async fn a_launch_that_was_cut_off_waits_for_the_key_that_is_kept_nowhere() {
    let world = World::new();
    let base_url = "http://127.0.0.1:9".to_owned();
    let access = ModelAccess { base_url, api_key: key() };
    let id = cut_off(&world, Launch { model_access: Some(access), ..launch() }).await;
    let sessions = world.start().await;
    sessions.adopt().await;
    let session = sessions.get(&id).unwrap();
    assert_eq!(session.info().credentials_required.as_deref(), Some("the key of its model API"));
    session.bring_key(&Secret::new("somebody else's"));
    assert!(session.info().credentials_required.is_some());
    session.bring_key(&key());
    status(&session, |status| *status == Status::Running).await;
    assert_eq!(session.info().credentials_required, None);
}

#[tokio::test]
async fn a_removal_that_was_cut_off_is_finished() {
    let world = World::new();
    let first = world.start().await;
    first.launch(launch()).await.unwrap();
    let mut record = world.store.sessions().await.unwrap().pop().unwrap();
    first.release().await;
    record.state.status = Status::Stopping;
    world.store.commit(&[Change::Session(Box::new(record))]).await.unwrap();
    let second = world.start().await;
    second.adopt().await;
    assert!(second.list().is_empty());
    assert_eq!(world.containers().await, 0);
}

#[tokio::test]
async fn a_session_whose_container_went_while_nobody_looked_says_so_once() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    let turn = session.begin(say("@@say begun\n@@hang")).await.unwrap().id();
    until(&session, 0, |body| matches!(body, EventBody::Text { .. })).await;
    first.release().await;
    assert!(world.provider.crash(&session.info().state.container.unwrap()));
    let second = world.start().await;
    second.adopt().await;
    let session = second.get(session.id()).unwrap();
    status(&session, |status| matches!(status, Status::Failed { .. })).await;
    let third = world.restart(second).await;
    let session = third.get(session.id()).unwrap();
    let ends = ends(&session).await;
    assert_eq!(ends.len(), 1);
    assert!(
        matches!(&ends[0], (id, Outcome::Failed { reason: FailureReason::ContainerLost, .. }) if *id == turn),
        "{ends:?}"
    );
}

#[tokio::test]
async fn a_lost_session_is_restarted_and_goes_on_with_its_conversation() {
    let world = World::new();
    let sessions = world.start().await;
    let session = sessions.launch(launch()).await.unwrap();
    session.begin(say("@@say remember me")).await.unwrap().collect::<Vec<_>>().await;
    assert!(world.provider.crash(&session.info().state.container.unwrap()));
    status(&session, |status| matches!(status, Status::Failed { .. })).await;
    session.restart().await.unwrap();
    assert_eq!(session.info().state.generation, 2);
    let records: Vec<_> = session.begin(say("@@recall")).await.unwrap().map(Result::unwrap).collect().await;
    let texts: Vec<String> = records
        .iter()
        .filter_map(|record| match &record.event.body {
            EventBody::Text { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert!(texts.iter().any(|text| text.contains("remember me")), "{texts:?}");
    assert!(is_gapless(&session.read(0, 10_000).await.unwrap()));
    sessions.remove(session.id()).await.unwrap();
    assert_eq!(world.containers().await, 0);
}

#[tokio::test]
async fn an_idle_session_rests_as_its_policy_says_and_the_next_message_wakes_it() {
    for (action, resting) in [(IdleAction::Pause, Status::Paused), (IdleAction::Stop, Status::Sleeping)] {
        let world = World::new();
        let first = world.start().await;
        let session = first.launch(launch()).await.unwrap();
        session.begin(say("@@say remember me")).await.unwrap().collect::<Vec<_>>().await;
        let policy = IdlePolicy { idle_timeout: Some(Duration::ZERO), action, ..IdlePolicy::default() };
        first.sweep(&policy).await;
        let rests = session.info().state.status;
        assert!(rests == resting || rests == Status::Sleeping, "{rests:?}");
        let second = world.restart(first).await;
        let session = second.get(session.id()).unwrap();
        let resting = session.info();
        assert_eq!(resting.state.status, rests);
        let waking = resting.waking.unwrap();
        assert_eq!(
            (waking.keeps_memory, waking.last_us.is_some()),
            (rests == Status::Paused, rests == Status::Sleeping)
        );
        let turn = session.begin(say("@@recall")).await.unwrap();
        let records: Vec<_> = turn.map(Result::unwrap).collect().await;
        assert!(
            records.iter().any(|record| matches!(&record.event.body, EventBody::Text { text, .. } if text.contains("remember me")))
        );
        assert_eq!((session.info().state.status, session.info().waking), (Status::Running, None));
        let cost = |body: &EventBody| matches!(body, EventBody::SessionChanged { status, reason: Some(reason) } if status == "running" && reason.contains(" ms"));
        until(&session, 0, cost).await;
    }
}

#[tokio::test]
async fn what_could_not_be_removed_when_a_session_fell_asleep_is_removed_later() {
    let world = World::new();
    let sessions = world.start().await;
    let session = sessions.launch(launch()).await.unwrap();
    session.begin(say("@@say remember me")).await.unwrap().collect::<Vec<_>>().await;
    let container = session.info().state.container.unwrap();
    world.provider.fail_next("destroy", ErrorKind::Unavailable);
    let action = IdleAction::Stop;
    sessions.sweep(&IdlePolicy { idle_timeout: Some(Duration::ZERO), action, ..IdlePolicy::default() }).await;
    assert_eq!(session.info().state.status, Status::Sleeping);
    assert!(world.provider.inspect(&container).await.is_ok(), "it still runs");
    assert_eq!(sessions.destroy_orphans(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(world.provider.inspect(&container).await.unwrap_err().kind(), ErrorKind::NotFound);
    let records: Vec<_> = session.begin(say("@@recall")).await.unwrap().map(Result::unwrap).collect().await;
    assert!(records.iter().any(
        |record| matches!(&record.event.body, EventBody::Text { text, .. } if text.contains("remember me"))
    ));
    assert_eq!(sessions.destroy_orphans(Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn of_a_failed_session_that_nobody_restarts_the_container_goes_whatever_waits_in_it() {
    let world = World::new();
    let sessions = world.start().await;
    let session = sessions.launch(launch()).await.unwrap();
    session.begin(say("@@say remember me")).await.unwrap().collect::<Vec<_>>().await;
    let _running = session.begin(say("@@say begun\n@@hang")).await.unwrap();
    let waits = session.begin(TurnRequest { when_busy: WhenBusy::Queue, ..say("@@recall") }).await.unwrap();
    let container = session.info().state.container.unwrap();
    assert!(world.provider.crash(&container));
    status(&session, |status| matches!(status, Status::Failed { .. })).await;
    let policy = |action| IdlePolicy { idle_timeout: Some(Duration::ZERO), action, ..IdlePolicy::default() };
    sessions.sweep(&policy(IdleAction::Pause)).await;
    assert_eq!(world.provider.inspect(&container).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((session.info().state.container, session.info().queued), (None, vec![waits.id()]));
    session.restart().await.unwrap();
    let records: Vec<_> = waits.map(Result::unwrap).collect().await;
    assert!(records.iter().any(
        |record| matches!(&record.event.body, EventBody::Text { text, .. } if text.contains("remember me"))
    ));
    assert!(world.provider.crash(&session.info().state.container.unwrap()));
    status(&session, |status| matches!(status, Status::Failed { .. })).await;
    sessions.sweep(&policy(IdleAction::Remove)).await;
    assert!(sessions.list().is_empty());
}

#[tokio::test]
async fn sessions_are_known_before_their_platform_says_what_it_has() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    first.release().await;
    world.provider.fail_next("list", ErrorKind::Unavailable);
    let second = world.start().await;
    let mut progress = second.progress();
    let far = |progress: &Progress| (progress.found, progress.settled);
    assert_eq!(far(&progress.borrow()), (1, 0));
    let known = second.get(session.id()).unwrap();
    assert_eq!((known.info().state.status, known.info().attached), (Status::Running, false));
    let adopting = second.clone();
    let adopting = tokio::spawn(async move { adopting.adopt().await });
    // It waits for its session to be found again.
    known.chat(vec![PromptBlock::text("@@say here")]).await.unwrap().collect::<Vec<_>>().await;
    adopting.await.unwrap();
    assert_eq!(far(&progress.borrow_and_update()), (1, 1));
    assert_eq!(ends(&known).await.len(), 1);
}

/// A session whose turn ends while nobody listens to it. The clock is stopped then, and goes on when all wait.
async fn left_at_work(world: &World) -> SessionId {
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    session.begin(say("@@stream 5 every 1000ms of 20 bytes")).await.unwrap();
    first.release().await;
    tokio::time::pause();
    session.id().clone()
}

/// How the turn of such a session ended.
async fn end_of_work(session: &Session) -> Outcome {
    until(session, 0, |body| matches!(body, EventBody::TurnEnded(_))).await;
    ends(session).await.remove(0).1
}

#[tokio::test]
async fn a_platform_that_is_silent_for_long_does_not_make_its_sessions_lost() {
    let world = World::new();
    let id = left_at_work(&world).await;
    // Its container cannot be reached, then nothing is heard of its platform for some minutes, then it cannot be reached again.
    world.provider.fail_next("endpoint", ErrorKind::Unavailable);
    world.provider.fail_next("endpoint", ErrorKind::Unavailable);
    let second = world.start().await;
    second.adopt().await;
    for _ in 0..60 {
        world.provider.fail_next("list", ErrorKind::Unavailable);
    }
    let session = second.get(&id).unwrap();
    assert_eq!(end_of_work(&session).await, Outcome::Completed);
    assert!(session.info().attached);
}

#[tokio::test]
async fn a_session_whose_container_cannot_be_reached_for_long_is_lost() {
    let world = World::new();
    let id = left_at_work(&world).await;
    for _ in 0..100 {
        world.provider.fail_next("endpoint", ErrorKind::Unavailable);
    }
    let second = world.start().await;
    second.adopt().await;
    let session = second.get(&id).unwrap();
    assert!(matches!(end_of_work(&session).await, Outcome::Failed { .. }));
    assert!(!session.info().attached);
    let Status::Failed { reason } = session.info().state.status else { panic!("{session:?}") };
    assert!(reason.starts_with("its agent server could not be reached after a restart"), "{reason}");
}

#[tokio::test]
async fn containers_of_past_generations_are_orphans_and_those_of_the_present_are_not() {
    let world = World::new();
    let first = world.start().await;
    let session = first.launch(launch()).await.unwrap();
    session.restart().await.unwrap();
    assert_eq!(first.destroy_orphans(Duration::ZERO).await.unwrap(), 0);
    first.release().await;
    let mut record = world.store.sessions().await.unwrap().pop().unwrap();
    record.state.generation += 1;
    record.state.status = Status::Failed { reason: "for the test".into() };
    world.store.commit(&[Change::Session(Box::new(record))]).await.unwrap();
    let second = world.start().await;
    assert_eq!(second.destroy_orphans(Duration::ZERO).await.unwrap(), 1);
    assert!(second.get(session.id()).is_some());
}

#[tokio::test]
async fn news_of_approvals_that_are_too_far_behind_are_said_to_be() {
    let world = World::new();
    let sessions = world.start().await;
    let owner = Owner::of(&key());
    let rows = (0..5000).map(|second| {
        let subject = Subject { session: SessionId::from_text("gone"), turn: None, request: None };
        let at = Timestamp::from_second(second).unwrap();
        Change::Audit(AuditRecord { at, owner, action: "session.launched".into(), subject })
    });
    world.store.commit(&rows.collect::<Vec<_>>()).await.unwrap();
    let refused = |news: Result<_, SessionError>| match news {
        Ok(_) => panic!("it was read"),
        Err(error) => error,
    };
    let expired = refused(sessions.approval_news(owner, 0).await);
    let SessionError::Journal(JournalError::CursorExpired { earliest }) = expired else {
        panic!("{expired}")
    };
    let (news, place) = sessions.approval_news(owner, earliest).await.unwrap();
    assert_eq!((news.len(), place), (0, 5000), "nothing of these is about an approval");
    let future = refused(sessions.approval_news(owner, 5001).await);
    assert!(
        matches!(future, SessionError::Journal(JournalError::CursorInFuture { head: 5000, .. })),
        "{future}"
    );
    sessions.shutdown().await;
}

#[tokio::test]
async fn an_end_that_removes_sessions_waits_for_who_reads_them_and_nothing_is_written_after_it() {
    let world = World::new();
    let sessions = world.start().await;
    let session = sessions.launch(launch()).await.unwrap();
    let reader = session.events(0).await.unwrap();
    tokio::time::pause();
    let mut end = Box::pin(sessions.shutdown());
    let early = tokio::time::timeout(Duration::from_secs(1), &mut end).await;
    assert!(early.is_err(), "it does not wait");
    tokio::join!(reader.count(), end);
    assert!(world.store.sessions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_that_reads_no_further_does_not_hold_up_the_end_and_the_next_start_removes_the_rest() {
    let world = World::new();
    let sessions = world.start().await;
    let (read, other) = tokio::join!(sessions.launch(launch()), sessions.launch(launch()));
    let (read, other) = (read.unwrap(), other.unwrap());
    let mut reader = read.events(0).await.unwrap();
    tokio::time::pause();
    sessions.shutdown().await;
    tokio::time::resume();
    let left = world.store.sessions().await.unwrap();
    assert_eq!(left.iter().map(|left| &left.id).collect::<Vec<_>>(), [read.id()], "{other:?} has no reader");
    assert_eq!(left[0].state.status, Status::Stopped);
    let mut last = None;
    while let Some(record) = reader.next().await {
        last = Some(record.unwrap());
    }
    assert!(matches!(&last.unwrap().event.body, EventBody::SessionChanged { .. }), "it is read to its end");
    world.restart(sessions).await;
    assert!(world.store.sessions().await.unwrap().is_empty());
}
