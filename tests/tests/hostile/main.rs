//! Containers that mean harm: the session fails with a reason, memory is bounded, others feel nothing.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod provider;

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::agent::{AgentError, Exchange};
use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::protocol::{EventBody, Outcome, PromptBlock, Secret};
use agcluster_core::provider::ProviderSet;
use agcluster_core::session::{Launch, Owner, Session, SessionError, Sessions, Status};
use agcluster_core::store::{MemoryStore, Retention};
use agcluster_core::workspace::Workspace;
use agcluster_providers::memory::MemoryProvider;
use futures::StreamExt;
use http::Method;

use agent::Malice;
use provider::Hostile;

/// More than anything here may take, with room for what the test itself needs.
const MOST_MEMORY: u64 = 256 << 20;

fn launch(provider: &str) -> Launch {
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    let mut launch = Launch::new(&config, options, Owner::of(&Secret::new("key")));
    launch.providers = vec![provider.to_owned()];
    launch
}

/// Sessions on a hostile platform and on a good one.
fn sessions(malice: Malice) -> (Arc<Hostile>, Sessions) {
    let hostile = Hostile::new(malice);
    let providers = ProviderSet::of(hostile.clone()).with(Arc::new(MemoryProvider::default()));
    let retention = Retention { max_bytes: 1 << 20, ..Retention::default() };
    let store = Arc::new(MemoryStore::default());
    let sessions = Sessions::builder(providers).store(store).retention(retention).build().unwrap();
    (hostile, sessions)
}

async fn failure(session: &Session) -> String {
    let mut state = session.state();
    let state = state.wait_for(|state| matches!(state.status, Status::Failed { .. })).await.unwrap();
    state.status.reason().unwrap().to_owned()
}

/// A whole turn of a session that has nothing to do with the other.
async fn a_good_turn(sessions: &Sessions) {
    let session = sessions.launch(launch("memory")).await.unwrap();
    let turn = session.chat(vec![PromptBlock::text("@@say hello")]).await.unwrap();
    let records: Vec<_> = turn.map(Result::unwrap).collect().await;
    let EventBody::TurnEnded(end) = &records.last().unwrap().event.body else { panic!("no end") };
    assert_eq!(end.outcome, Outcome::Completed);
    sessions.remove(session.id()).await.unwrap();
}

/// The most memory that this process has had so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_that_is_none_fails_the_session_with_a_reason() {
    for (malice, word) in [
        (Malice::Noise, "event"),
        (Malice::NoEvents, "event"),
        (Malice::EndlessEvent, "bytes"),
        (Malice::OtherGeneration, "generation 7"),
        (Malice::Gap, "left out"),
    ] {
        let (hostile, sessions) = sessions(malice);
        let session = sessions.launch(launch("hostile")).await.unwrap();
        let reason = failure(&session).await;
        assert!(reason.contains(word), "{malice:?}: {reason}");
        assert!(reason.len() < 500, "{malice:?}: {reason}");
        a_good_turn(&sessions).await;
        sessions.remove(session.id()).await.unwrap();
        assert_eq!(hostile.len(), 0, "{malice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_is_answered_with_noise_without_end_or_not_at_all_fails_and_leaves_nothing() {
    for malice in
        [Malice::EndlessConfigured, Malice::NoiseConfigured, Malice::NeverConfigured, Malice::EndlessHead]
    {
        let (hostile, sessions) = sessions(malice);
        let error = sessions.launch(launch("hostile")).await.unwrap_err();
        assert!(matches!(error, SessionError::Agent(_)), "{malice:?}: {error}");
        assert!(error.to_string().len() < 500, "{malice:?}");
        assert_eq!((hostile.len(), sessions.list().len()), (0, 0), "{malice:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_server_that_says_nothing_any_more_is_asked_anew_and_hurts_nobody() {
    let (_, sessions) = sessions(Malice::Dead);
    let session = sessions.launch(launch("hostile")).await.unwrap();
    // Longer than any silence that is put up with on one connection.
    tokio::time::advance(Duration::from_secs(300)).await;
    a_good_turn(&sessions).await;
    assert_eq!(session.info().state.status.as_str(), "running");
    sessions.remove(session.id()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_measurement_that_never_comes_holds_nobody_up_and_is_given_up() {
    let (_, sessions) = sessions(Malice::NeverMeasured);
    let session = sessions.launch(launch("hostile")).await.unwrap();
    let mut measuring = std::pin::pin!(session.resources());
    tokio::select! {
        biased;
        used = &mut measuring => panic!("{used:?}"),
        () = a_good_turn(&sessions) => {}
    }
    let SessionError::Agent(error) = measuring.await.unwrap_err() else { panic!("another error") };
    assert!(matches!(error, AgentError::Timeout { .. }), "{error}");
    assert_eq!(session.info().state.status.as_str(), "running");
    sessions.remove(session.id()).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_events_fills_neither_memory_nor_the_way_of_others() {
    let (_, sessions) = sessions(Malice::Flood);
    let before = peak_memory();
    let session = sessions.launch(launch("hostile")).await.unwrap();
    // Far more than is kept of it.
    let mut events = session.events(0).await.unwrap();
    let (mut read, mut behind) = (0_u64, 0_u64);
    while read < 100_000 {
        match events.next().await.unwrap() {
            Ok(record) => {
                read += 1;
                behind = record.seq();
            }
            // What is dropped before it is read is said to be.
            Err(_) => events = session.events(session.head().await.unwrap().max(behind)).await.unwrap(),
        }
    }
    for _ in 0..5 {
        a_good_turn(&sessions).await;
    }
    drop(events);
    sessions.remove(session.id()).await.unwrap();
    let grown = peak_memory() - before;
    assert!(grown < MOST_MEMORY, "memory grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn what_a_workspace_answers_is_bounded_and_its_words_are_not_taken_for_ours() {
    let before = peak_memory();
    let ask = async |malice| {
        let (_, sessions) = sessions(malice);
        let session = sessions.launch(launch("hostile")).await.unwrap();
        let exchange = Exchange::new("tree", Method::GET, "/workspace/files");
        let error = Workspace::of(session).call::<serde_json::Value>(exchange).await.unwrap_err();
        let SessionError::Agent(error) = error else { panic!("{error}") };
        error
    };
    let error = ask(Malice::EndlessAnswer).await;
    assert!(matches!(error, AgentError::Protocol(_)), "{error}");
    let AgentError::Refused { problem, .. } = ask(Malice::LongRefusal).await else { panic!("no refusal") };
    assert!(problem.detail.len() < 2000, "{} bytes", problem.detail.len());
    let grown = peak_memory() - before;
    assert!(grown < MOST_MEMORY, "memory grew by {} MiB", grown >> 20);
}
