//! Sessions by the names of conversations, and sessions for one answer: over failures and over the ends of the application.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use agcluster_core::agent::TokenKey;
use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::protocol::{EventBody, PromptBlock, Secret};
use agcluster_core::provider::{ContainerProvider, ListFilter, ProviderSet};
use agcluster_core::session::{Idempotency, Launch, Owner, Session, Sessions, Status};
use agcluster_core::store::{MemoryStore, Store};
use agcluster_providers::memory::{MemoryConfig, MemoryProvider};
use futures::future::join_all;
use futures::{FutureExt, StreamExt};

/// A platform and a store, which outlive the applications over them.
struct World {
    provider: MemoryProvider,
    store: Arc<MemoryStore>,
}

impl World {
    fn new() -> Self {
        Self { provider: MemoryProvider::new(MemoryConfig::default()), store: Arc::new(MemoryStore::new()) }
    }

    async fn start(&self) -> Sessions {
        let sessions = Sessions::builder(ProviderSet::of(Arc::new(self.provider.clone())))
            .store(Arc::clone(&self.store) as Arc<dyn Store>)
            .token_key(TokenKey::from_secret(&Secret::new("the same in each run")))
            .build()
            .unwrap();
        sessions.recover().await.unwrap();
        sessions.adopt().await;
        sessions
    }

    /// How many sessions were told to go.
    async fn removals(&self) -> usize {
        let owner = Owner::of(&Secret::new("key"));
        let rows = self.store.audit(&owner, None, 100).await.unwrap();
        rows.iter().filter(|(_, row)| row.action == "session.removed").count()
    }

    async fn containers(&self) -> usize {
        self.provider.list(ListFilter::default()).await.unwrap().len()
    }
}

fn launch() -> Launch {
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    Launch::new(&config, options, Owner::of(&Secret::new("key")))
}

async fn conversation(sessions: &Sessions, name: &str) -> Arc<Session> {
    sessions.conversation(name, launch()).await.unwrap()
}

/// What the agent says.
async fn said(session: &Arc<Session>, prompt: &str) -> String {
    let turn = session.chat(vec![PromptBlock::text(prompt)]).await.unwrap();
    let texts = turn.filter_map(async |record| match &record.unwrap().event.body {
        EventBody::Text { text, .. } => Some(text.clone()),
        _ => None,
    });
    texts.collect::<Vec<_>>().await.join("\n")
}

/// Crashes the session's container and waits until that is known.
async fn crash(world: &World, session: &Session) {
    assert!(world.provider.crash(&session.info().state.container.unwrap()));
    session.state().wait_for(|state| matches!(state.status, Status::Failed { .. })).await.unwrap();
}

#[tokio::test]
async fn however_many_ask_at_once_a_conversation_has_one_session() {
    let world = World::new();
    let sessions = world.start().await;
    let all = join_all((0..16).map(|_| conversation(&sessions, "c"))).await;
    assert!(all.iter().all(|session| session.id() == all[0].id()));
    assert_ne!(conversation(&sessions, "d").await.id(), all[0].id());
    let other = Launch { owner: Owner::of(&Secret::new("other")), ..launch() };
    assert_ne!(sessions.conversation("c", other).await.unwrap().id(), all[0].id());
    assert_eq!(world.containers().await, 3);
}

#[tokio::test]
async fn a_name_of_a_conversation_is_no_idempotency_key() {
    let world = World::new();
    let sessions = world.start().await;
    let named = conversation(&sessions, "c").await;
    let key = Idempotency { key: "c".into(), fingerprint: "f".into() };
    let launched = sessions.launch(Launch { idempotency: Some(key), ..launch() }).await.unwrap();
    assert_ne!(named.id(), launched.id());
}

#[tokio::test]
async fn a_conversation_that_failed_is_started_anew_once_and_remembers() {
    let world = World::new();
    let sessions = world.start().await;
    let session = conversation(&sessions, "c").await;
    said(&session, "@@say remember").await;
    crash(&world, &session).await;
    let all = join_all((0..4).map(|_| conversation(&sessions, "c"))).await;
    assert!(all.iter().all(|found| found.id() == session.id()));
    assert_eq!(session.info().state.generation, 2);
    assert!(said(&session, "@@recall").await.contains("@@say remember"));
}

#[tokio::test]
async fn a_conversation_that_was_removed_gets_a_new_session_while_the_old_one_is_still_read() {
    let world = World::new();
    let sessions = world.start().await;
    let session = conversation(&sessions, "c").await;
    let reader = session.events(0).await.unwrap();
    sessions.remove(session.id()).await.unwrap();
    let next = conversation(&sessions, "c").await;
    assert_ne!(next.id(), session.id());
    drop(reader);
    assert_eq!(conversation(&sessions, "c").await.id(), next.id());
    assert_eq!(world.containers().await, 1);
}

#[tokio::test]
async fn a_conversation_outlives_the_application_and_a_session_for_one_answer_does_not() {
    let world = World::new();
    let sessions = world.start().await;
    let session = conversation(&sessions, "c").await;
    said(&session, "@@say remember").await;
    let one_answer = sessions.launch_disposable(launch()).await.unwrap();
    assert_eq!(world.containers().await, 2);
    sessions.release().await;
    // As if killed: nobody is there who would remove it.
    std::mem::forget(one_answer);

    let sessions = world.start().await;
    assert_eq!(sessions.list().len(), 1);
    let found = conversation(&sessions, "c").await;
    assert_eq!(found.id(), session.id());
    assert!(said(&found, "@@recall").await.contains("@@say remember"));
    assert_eq!(world.containers().await, 1);
}

#[tokio::test]
async fn a_session_for_one_answer_goes_with_whoever_holds_it() {
    let world = World::new();
    let sessions = world.start().await;
    let one_answer = sessions.launch_disposable(launch()).await.unwrap();
    let session = Arc::clone(one_answer.session());
    let turn = session.chat(vec![PromptBlock::text("@@say begun\n@@hang")]).await.unwrap();
    drop(one_answer);
    session.state().wait_for(|state| state.status == Status::Stopped).await.unwrap();
    drop(turn);
    // One who leaves while it is launched.
    let launching = sessions.launch_disposable(launch());
    assert!(launching.now_or_never().is_none());
    // Both are told to go, and then are gone.
    while world.removals().await < 2 {
        tokio::task::yield_now().await;
    }
    while world.containers().await > 0 || !sessions.list().is_empty() {
        tokio::task::yield_now().await;
    }
}
