//! Sessions over the memory provider: what they promise when things go wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::agent::Exchange;
use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::journal::Record;
use agcluster_core::protocol::{EventBody, FailureReason, Outcome, PromptBlock, Secret, TurnEnd};
use agcluster_core::provider::{ContainerProvider, ErrorKind, ListFilter, ProviderSet};
use agcluster_core::session::{
    IdlePolicy, Launch, Owner, Session, SessionError, SessionId, Sessions, Status, Turn,
};
use agcluster_core::workspace::Workspace;
use agcluster_providers::memory::{MemoryConfig, MemoryProvider};
use futures::StreamExt;

fn platform() -> (MemoryProvider, Sessions) {
    let provider = MemoryProvider::new(MemoryConfig::default());
    let sessions = Sessions::on(Arc::new(provider.clone())).unwrap();
    (provider, sessions)
}

fn launch() -> Launch {
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    Launch::new(&config, options, Owner::of(&Secret::new("key")))
}

async fn chat(session: &Arc<Session>, prompt: &str) -> Turn {
    session.chat(vec![PromptBlock::text(prompt)]).await.unwrap()
}

/// Reads until a record of which `wanted` is true.
async fn until(turn: &mut Turn, wanted: impl Fn(&EventBody) -> bool) -> Arc<Record> {
    loop {
        let record = turn.next().await.unwrap().unwrap();
        if wanted(&record.event.body) {
            return record;
        }
    }
}

async fn ends(turn: Turn) -> Vec<TurnEnd> {
    let records: Vec<_> = turn.map(Result::unwrap).collect().await;
    records
        .iter()
        .filter_map(
            |record| {
                if let EventBody::TurnEnded(end) = &record.event.body { Some(end.clone()) } else { None }
            },
        )
        .collect()
}

/// The first session that is there.
async fn first(sessions: &Sessions) -> Arc<Session> {
    loop {
        match sessions.list().pop() {
            Some(session) => return session,
            None => tokio::task::yield_now().await,
        }
    }
}

async fn containers(provider: &MemoryProvider) -> usize {
    provider.list(ListFilter::default()).await.unwrap().len()
}

#[tokio::test]
async fn a_launch_that_fails_at_any_step_leaves_nothing() {
    for operation in ["create", "endpoint"] {
        let (provider, sessions) = platform();
        provider.fail_next(operation, ErrorKind::Unavailable);
        let error = sessions.launch(launch()).await.unwrap_err();
        assert!(matches!(error, SessionError::Provider(ref e) if e.operation() == operation), "{error}");
        assert!(sessions.list().is_empty());
        assert_eq!(containers(&provider).await, 0, "after a failed {operation}");
    }
}

#[tokio::test]
async fn a_container_that_crashes_in_a_turn_ends_it_once_and_the_session_says_why() {
    let (provider, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    let mut turn = chat(&session, "@@say begun\n@@hang").await;
    until(&mut turn, |body| matches!(body, EventBody::Text { .. })).await;
    assert!(provider.crash(&session.info().state.container.unwrap()));
    let ends = ends(turn).await;
    assert_eq!(ends.len(), 1);
    assert!(
        matches!(ends[0].outcome, Outcome::Failed { reason: FailureReason::ContainerLost, .. }),
        "{ends:?}"
    );
    session.state().wait_for(|state| matches!(state.status, Status::Failed { .. })).await.unwrap();
    let error = session.chat(vec![PromptBlock::text("hello?")]).await.unwrap_err();
    assert!(matches!(error, SessionError::NotRunning { status: "failed", reason: Some(_) }), "{error}");
    sessions.remove(session.id()).await.unwrap();
    assert_eq!(containers(&provider).await, 0);
}

#[tokio::test]
async fn a_connection_that_is_refused_for_a_while_loses_no_event() {
    let (provider, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    let container = session.info().state.container.unwrap();
    let mut turn = chat(&session, "@@stream 20\n@@gate go\n@@stream 20").await;
    until(&mut turn, |body| matches!(body, EventBody::QuestionAsked { .. })).await;
    provider.refuse_connections(&container, true);
    provider.refuse_connections(&container, false);
    let answer = serde_json::from_value(
        serde_json::json!({ "request_id": "go", "decision": "answers", "answers": {} }),
    )
    .unwrap();
    session.answer(&answer).await.unwrap();
    let ends = ends(turn).await;
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].outcome, Outcome::Completed);
}

#[tokio::test]
async fn a_session_that_cannot_be_removed_stays_known_and_can_be_removed_later() {
    let (provider, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    provider.fail_next("destroy", ErrorKind::Unavailable);
    let error = sessions.remove(session.id()).await.unwrap_err();
    assert!(matches!(error, SessionError::Provider(_)), "{error}");
    assert!(matches!(session.info().state.status, Status::Failed { .. }));
    assert_eq!(sessions.list().len(), 1);
    sessions.remove(session.id()).await.unwrap();
    assert!(sessions.list().is_empty());
    assert_eq!(containers(&provider).await, 0);
}

#[tokio::test]
async fn removing_a_session_ends_its_turn_and_its_streams() {
    let (_, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    let mut turn = chat(&session, "@@say begun\n@@hang").await;
    until(&mut turn, |body| matches!(body, EventBody::Text { .. })).await;
    let events = session.events(0).await.unwrap();
    sessions.remove(session.id()).await.unwrap();
    let ends = ends(turn).await;
    assert!(
        matches!(
            &ends[..],
            [TurnEnd { outcome: Outcome::Failed { reason: FailureReason::SessionStopped, .. }, .. }]
        ),
        "{ends:?}"
    );
    let all: Vec<_> = events.collect().await;
    assert!(
        matches!(&all.last().unwrap().as_ref().unwrap().event.body, EventBody::SessionChanged { status, .. } if status == "stopped")
    );
    sessions.remove(session.id()).await.unwrap();
}

#[tokio::test]
async fn a_launch_whose_caller_leaves_is_finished_and_found() {
    let (_, sessions) = platform();
    let mut launching = Box::pin(sessions.launch(launch()));
    // Polled once, so that it has begun, then left.
    assert!(futures::poll!(launching.as_mut()).is_pending());
    drop(launching);
    let session = first(&sessions).await;
    session.state().wait_for(|state| state.status == Status::Running).await.unwrap();
    sessions.remove(session.id()).await.unwrap();
}

#[tokio::test]
async fn a_session_removed_while_it_is_launched_leaves_nothing() {
    let (provider, sessions) = platform();
    let mut launching = Box::pin(sessions.launch(launch()));
    assert!(futures::poll!(launching.as_mut()).is_pending());
    let id = first(&sessions).await.id().clone();
    sessions.remove(&id).await.unwrap();
    let _either_way = launching.await;
    assert!(sessions.list().is_empty());
    assert_eq!(containers(&provider).await, 0);
}

#[tokio::test]
async fn what_an_earlier_run_left_is_destroyed_and_nothing_else() {
    let provider: Arc<dyn ContainerProvider> = Arc::new(MemoryProvider::new(MemoryConfig::default()));
    let of = |cluster: &str| {
        Sessions::builder(ProviderSet::of(Arc::clone(&provider))).cluster(cluster).build().unwrap()
    };
    let (earlier, other) = (of("mine"), of("other"));
    earlier.launch(launch()).await.unwrap();
    let neighbour = other.launch(launch()).await.unwrap();
    let mine = of("mine");
    let own = mine.launch(launch()).await.unwrap();
    assert_eq!(
        mine.destroy_orphans(Duration::from_secs(3600)).await.unwrap(),
        0,
        "not before the grace is over"
    );
    assert_eq!(mine.destroy_orphans(Duration::ZERO).await.unwrap(), 1);
    let left: Vec<SessionId> = provider
        .list(ListFilter::default())
        .await
        .unwrap()
        .into_iter()
        .map(|container| SessionId::from_text(container.labels.session))
        .collect();
    assert_eq!(left.len(), 2);
    assert!(left.contains(neighbour.id()) && left.contains(own.id()));
}

#[tokio::test]
async fn idle_sessions_are_swept_and_busy_ones_are_not() {
    let (provider, sessions) = platform();
    let idle = sessions.launch(launch()).await.unwrap();
    let busy = sessions.launch(launch()).await.unwrap();
    let mut turn = chat(&busy, "@@say begun\n@@hang").await;
    until(&mut turn, |body| matches!(body, EventBody::Text { .. })).await;
    let policy =
        |idle, lifetime| IdlePolicy { idle_timeout: idle, max_lifetime: lifetime, ..IdlePolicy::default() };
    sessions.sweep(&policy(Some(Duration::from_secs(3600)), None)).await;
    assert_eq!(sessions.list().len(), 2, "nothing is idle for an hour yet");
    let used = sessions.launch(launch()).await.unwrap();
    let lasting = Exchange::new("events", http::Method::GET, "/events?after=0");
    let lasting = Workspace::of(Arc::clone(&used)).exchange(lasting).await.unwrap();
    sessions.sweep(&policy(Some(Duration::ZERO), None)).await;
    assert!(sessions.get(idle.id()).is_none());
    assert!(sessions.get(busy.id()).is_some());
    assert!(sessions.get(used.id()).is_some(), "a request that acts still goes on");
    drop(lasting);
    sessions.sweep(&policy(Some(Duration::ZERO), None)).await;
    assert!(sessions.get(used.id()).is_none());
    sessions.sweep(&policy(None, Some(Duration::ZERO))).await;
    assert!(sessions.list().is_empty());
    assert_eq!(containers(&provider).await, 0);
}

#[tokio::test]
async fn shutdown_removes_everything_and_takes_nothing_new() {
    let (provider, sessions) = platform();
    for _ in 0..5 {
        sessions.launch(launch()).await.unwrap();
    }
    sessions.shutdown().await;
    assert_eq!(containers(&provider).await, 0);
    assert!(matches!(sessions.launch(launch()).await.unwrap_err(), SessionError::ShuttingDown));
}

#[tokio::test]
async fn the_same_prompt_twice_at_once_runs_one_turn() {
    let (_, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    let say = || session.chat(vec![PromptBlock::text("@@say once")]);
    let (first, second) = tokio::join!(say(), say());
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    assert!(matches!(lost.unwrap_err(), SessionError::Busy { turn: Some(_) }));
    assert_eq!(ends(won.unwrap()).await.len(), 1);
}

#[tokio::test]
async fn the_end_of_a_turn_is_seen_in_the_journal_and_in_the_state_at_once() {
    let (_provider, sessions) = platform();
    let session = sessions.launch(launch()).await.unwrap();
    for _ in 0..20 {
        let (mut events, mut state) = (chat(&session, "@@say hi").await, session.state());
        let read = Arc::clone(&session);
        // A task, so that it runs as soon as there is something to read.
        let reads = tokio::spawn(async move {
            until(&mut events, |body| matches!(body, EventBody::TurnEnded(_))).await;
            read.info().state.turn
        });
        let looks = async {
            state.wait_for(|state| state.turn.is_none()).await.unwrap();
            let last = session.head().await.unwrap() - 1;
            session.read(last, 1).await.unwrap().remove(0)
        };
        let (turn, last) = tokio::join!(reads, looks);
        assert_eq!(turn.unwrap(), None, "its end was read");
        assert!(matches!(last.event.body, EventBody::TurnEnded(_)), "it was seen idle: {last:?}");
    }
    sessions.shutdown().await;
}
