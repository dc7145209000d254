//! Turns that get nowhere: what they wait for is said, once, and what the policy says is done.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::journal::Record;
use agcluster_core::protocol::event::StuckOn;
use agcluster_core::protocol::{EventBody, FailureReason, Liveness, Outcome, PromptBlock, Secret};
use agcluster_core::provider::ErrorKind;
use agcluster_core::session::{
    Launch, Owner, Session, SessionPolicy, Sessions, Status, StuckAction, Turn, WatchdogPolicy,
};
use agcluster_providers::memory::MemoryProvider;
use futures::StreamExt;

/// One step takes moments; one that takes so long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// Any silence is too long.
const SHORT: Duration = Duration::from_millis(1);

fn watchdog(action: StuckAction) -> WatchdogPolicy {
    WatchdogPolicy { stuck_after: Some(SHORT), action, ..WatchdogPolicy::default() }
}

async fn launch(policy: SessionPolicy) -> (MemoryProvider, Sessions, Arc<Session>) {
    let provider = MemoryProvider::default();
    let sessions = Sessions::on(Arc::new(provider.clone())).unwrap();
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    let launch = Launch { policy, ..Launch::new(&config, options, Owner::of(&Secret::new("key"))) };
    let session = sessions.launch(launch).await.unwrap();
    (provider, sessions, session)
}

async fn chat(session: &Arc<Session>, prompt: &str) -> Turn {
    session.chat(vec![PromptBlock::text(prompt)]).await.unwrap()
}

/// Waits until the agent server says that.
async fn alive(session: &Session, wanted: impl Fn(&Liveness) -> bool) {
    let looking = async {
        while !wanted(&session.liveness().await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, looking).await.unwrap();
}

/// Watches until something was said, and gives that.
async fn said(sessions: &Sessions, session: &Session, policy: &WatchdogPolicy) -> (StuckOn, String) {
    let watching = async {
        loop {
            sessions.watch(policy).await;
            if let Some(found) = stuck(session).await.pop() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, watching).await.unwrap()
}

async fn stuck(session: &Session) -> Vec<(StuckOn, String)> {
    let said = |record: &Arc<Record>| match &record.event.body {
        EventBody::TurnStuck { on, detail, .. } => Some((*on, detail.clone())),
        _ => None,
    };
    session.read(0, 10_000).await.unwrap().iter().filter_map(said).collect()
}

/// How a turn ended.
async fn end(turn: Turn) -> Outcome {
    let records: Vec<_> = tokio::time::timeout(LIMIT, turn.map(Result::unwrap).collect()).await.unwrap();
    let ends = |record: &Arc<Record>| match &record.event.body {
        EventBody::TurnEnded(end) => Some(end.outcome.clone()),
        _ => None,
    };
    let mut ends: Vec<Outcome> = records.iter().filter_map(ends).collect();
    assert_eq!(ends.len(), 1, "a turn ends once");
    ends.remove(0)
}

#[tokio::test]
async fn what_a_stuck_turn_waits_for_is_said_once() {
    let waits = [
        ("program", StuckOn::AgentProgram, "says nothing"),
        ("model", StuckOn::Model, "the model API"),
        ("tool", StuckOn::Tool, "the tool Stall"),
    ];
    for (what, on, word) in waits {
        let (_, sessions, session) = launch(SessionPolicy::default()).await;
        let turn = chat(&session, &format!("@@stall {what}")).await;
        alive(&session, |liveness| match on {
            StuckOn::Model => liveness.model.is_some_and(|model| model.open_requests > 0),
            StuckOn::Tool => !liveness.tools.is_empty(),
            _ => liveness.turn.is_some(),
        })
        .await;
        let policy = watchdog(StuckAction::Notify);
        let (found, detail) = said(&sessions, &session, &policy).await;
        assert!(found == on && detail.contains(word), "{what}: {found:?} {detail}");
        for _ in 0..5 {
            sessions.watch(&policy).await;
        }
        assert_eq!(stuck(&session).await.len(), 1, "{what}");
        assert_eq!(session.info().state.turn, Some(turn.id()), "it is only said");
        sessions.shutdown().await;
    }
}

#[tokio::test]
async fn an_agent_server_or_a_platform_that_does_not_answer_is_named() {
    for (on, word) in
        [(StuckOn::AgentServer, "the agent server does not answer"), (StuckOn::Provider, "inspect")]
    {
        let (provider, sessions, session) = launch(SessionPolicy::default()).await;
        let turn = chat(&session, "@@say begun\n@@hang").await;
        alive(&session, |liveness| liveness.turn.is_some()).await;
        let container = session.info().state.container.unwrap();
        provider.refuse_connections(&container, true);
        if on == StuckOn::Provider {
            provider.fail_next("inspect", ErrorKind::Unavailable);
        }
        let (found, detail) = said(&sessions, &session, &watchdog(StuckAction::Interrupt)).await;
        assert!(found == on && detail.contains(word), "{found:?} {detail}");
        // What cannot be acted upon is left as it is.
        assert_eq!(
            (session.info().state.status, session.info().state.turn),
            (Status::Running, Some(turn.id()))
        );
        provider.refuse_connections(&container, false);
        sessions.shutdown().await;
    }
}

#[tokio::test]
async fn a_turn_that_waits_for_a_person_is_not_stuck() {
    let (_, sessions, session) = launch(SessionPolicy::default()).await;
    let _turn = chat(&session, "@@gate go").await;
    alive(&session, |liveness| {
        !liveness.asked.is_empty() && liveness.turn.is_some_and(|turn| turn.silent_ms > 5)
    })
    .await;
    sessions.watch(&watchdog(StuckAction::Interrupt)).await;
    assert_eq!(stuck(&session).await, []);
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_stuck_turn_is_interrupted_where_the_policy_says_so() {
    let (_, sessions, session) = launch(SessionPolicy::default()).await;
    let turn = chat(&session, "@@stall model").await;
    alive(&session, |liveness| liveness.model.is_some_and(|model| model.open_requests > 0)).await;
    said(&sessions, &session, &watchdog(StuckAction::Interrupt)).await;
    assert_eq!(end(turn).await, Outcome::Interrupted);
    assert_eq!(end(chat(&session, "@@say here").await).await, Outcome::Completed);
    sessions.shutdown().await;
}

#[tokio::test]
async fn the_program_of_a_stuck_turn_is_restarted_with_its_conversation_where_the_policy_says_so() {
    // The session's own word comes before the general one.
    let own = SessionPolicy { stuck_action: Some(StuckAction::Restart), ..SessionPolicy::default() };
    let (_, sessions, session) = launch(own).await;
    chat(&session, "@@say remember me").await.collect::<Vec<_>>().await;
    let turn = chat(&session, "@@stall program").await;
    alive(&session, |liveness| liveness.turn.is_some()).await;
    said(&sessions, &session, &watchdog(StuckAction::Notify)).await;
    let outcome = end(turn).await;
    assert!(matches!(&outcome, Outcome::Failed { reason: FailureReason::AgentRestarted, .. }), "{outcome:?}");
    assert_eq!((session.info().state.status, session.info().state.generation), (Status::Running, 1));
    let recalled: Vec<_> = chat(&session, "@@recall").await.map(Result::unwrap).collect().await;
    let remembers = |record: &Arc<Record>| matches!(&record.event.body, EventBody::Text { text, .. } if text.contains("remember me"));
    assert!(recalled.iter().any(remembers), "{recalled:?}");
    sessions.shutdown().await;
}

#[tokio::test]
async fn a_turn_that_takes_longer_than_it_may_is_interrupted_however_much_it_says() {
    let (_, sessions, session) = launch(SessionPolicy::default()).await;
    let turn = chat(&session, "@@stream 1000000 every 1ms of 1 bytes").await;
    alive(&session, |liveness| liveness.turn.is_some_and(|turn| turn.age_ms > 1)).await;
    let policy = WatchdogPolicy { max_turn: Some(SHORT), ..WatchdogPolicy::default() };
    sessions.watch(&policy).await;
    assert_eq!(end(turn).await, Outcome::Interrupted);
    assert_eq!(stuck(&session).await, []);

    let unlimited = SessionPolicy { max_turn: Some(0), stuck_after: Some(0), ..SessionPolicy::default() };
    let (_, sessions, session) = launch(unlimited).await;
    let turn = chat(&session, "@@stall program").await;
    alive(&session, |liveness| liveness.turn.is_some_and(|turn| turn.silent_ms > 5)).await;
    sessions.watch(&WatchdogPolicy { stuck_after: Some(SHORT), ..policy }).await;
    assert_eq!((session.info().state.turn, stuck(&session).await.len()), (Some(turn.id()), 0));
    sessions.shutdown().await;
}
