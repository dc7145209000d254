//! A store that does not work for a while.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agcluster_core::config::{AgentConfig, AgentDefaults, ConfigCatalog, ConfigStore, McpEnv};
use agcluster_core::journal::Record;
use agcluster_core::protocol::{Secret, TurnId};
use agcluster_core::provider::{ContainerProvider, ListFilter, ProviderSet};
use agcluster_core::session::{Launch, Owner, Session, SessionId, SessionRecord, Sessions};
use agcluster_core::store::{
    AuditRecord, Change, ConfigRecord, Extent, IdempotencyRecord, MemoryStore, Result, Retention, Store,
    StoreError, TranscriptChunk, TurnRecord,
};
use agcluster_core::workspace::Tickets;
use agcluster_providers::memory::MemoryProvider;
use agcluster_server::{AppState, MetricsAccess, Readiness, Settings, router};
use async_trait::async_trait;
use clap::Parser;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;

#[derive(Debug, Clone, Default)]
struct Failing {
    inner: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn set(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn now(&self) -> Result<&MemoryStore> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl Store for Failing {
    async fn commit(&self, changes: &[Change]) -> Result<()> {
        self.now()?.commit(changes).await
    }
    async fn events(
        &self,
        s: &SessionId,
        after: u64,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Arc<Record>>> {
        self.now()?.events(s, after, limit, bytes).await
    }
    async fn extent(&self, session: &SessionId) -> Result<Extent> {
        self.now()?.extent(session).await
    }
    async fn trim(&self, session: &SessionId, retention: &Retention) -> Result<u64> {
        self.now()?.trim(session, retention).await
    }
    async fn sessions(&self) -> Result<Vec<SessionRecord>> {
        self.now()?.sessions().await
    }
    async fn open_turns(&self) -> Result<Vec<TurnRecord>> {
        self.now()?.open_turns().await
    }
    async fn turn(&self, id: TurnId) -> Result<Option<TurnRecord>> {
        self.now()?.turn(id).await
    }
    async fn turns(
        &self,
        owner: &Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>> {
        self.now()?.turns(owner, session, before, limit).await
    }
    async fn transcript(&self, session: &SessionId) -> Result<Vec<TranscriptChunk>> {
        self.now()?.transcript(session).await
    }
    async fn idempotency(&self, owner: &Owner, key: &str) -> Result<Option<IdempotencyRecord>> {
        self.now()?.idempotency(owner, key).await
    }
    async fn configs(&self) -> Result<Vec<ConfigRecord>> {
        self.now()?.configs().await
    }
    async fn audit(
        &self,
        owner: &Owner,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, AuditRecord)>> {
        self.now()?.audit(owner, before, limit).await
    }
    async fn meta(&self, key: &str) -> Result<Option<String>> {
        self.now()?.meta(key).await
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_and_nothing_is_lost() {
    let store = Failing::default();
    let providers = ProviderSet::of(Arc::new(MemoryProvider::default()));
    let sessions = Sessions::builder(providers).store(Arc::new(store.clone())).build().unwrap();
    let settings = Settings::try_parse_from(["agcluster-server"]).unwrap();
    let files = ConfigStore::open(Vec::new()).await;
    let configs = ConfigCatalog::open(files, sessions.journal().clone()).await.unwrap();
    let app = router(AppState {
        sessions: sessions.clone(),
        configs,
        defaults: Arc::new(settings.agent_defaults()),
        metrics: MetricsAccess::Off,
        file_limits: settings.file_limits(),
        readiness: Readiness::default(),
        allowed_origins: Arc::from([]),
        tickets: Tickets::new(),
        sockets: TaskTracker::new(),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let api = Api::new(base, "key");
    let session = scripted(&api).await;
    let mut chat = session.chat("@@say one\n@@gate go\n@@say two").await.unwrap();
    chat.until("question_asked").await.unwrap();

    store.set(true);
    let ready = api.get("/ready").await.unwrap();
    assert_eq!(refusal(&ready), (503, "store_unavailable"));
    assert!(ready.body["detail"].as_str().unwrap().contains("the disk is full"), "{}", ready.body);
    assert!(ready.headers.contains_key("retry-after"));
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    // What is decided is written down before the agent hears of it.
    assert_eq!(refusal(&session.post("answer", answer).await.unwrap()), (503, "store_unavailable"));
    sessions.journal().trouble().wait_for(Option::is_some).await.unwrap();
    let body = json!({ "api_key": "key", "config": { "driver": "scripted" } });
    let launch = api.post("/api/agents/launch", body).await.unwrap();
    assert_eq!(refusal(&launch), (503, "store_unavailable"));
    assert!(launch.headers.contains_key("retry-after"));
    for path in ["/api/jobs".to_owned(), format!("/api/agents/{}/messages", session.id)] {
        let answer = api.get(&path).await.unwrap();
        assert_eq!(refusal(&answer), (503, "store_unavailable"), "{path}");
    }
    let health = api.get("/health").await.unwrap();
    assert_eq!(health.status, StatusCode::OK, "the process lives");

    store.set(false);
    sessions.journal().trouble().wait_for(Option::is_none).await.unwrap();
    // What was written down too late for its answer stands all the same.
    let frames = chat.rest().await.unwrap();
    assert!(frames.iter().any(|frame| frame.data["data"]["content"] == "two"), "{frames:#?}");
    assert_eq!(api.get("/ready").await.unwrap().status, StatusCode::OK, "it works again by itself");
    let (_, events) = text(&api, "/api/jobs").await;
    assert!(events.contains("completed"), "{events}");
    session.delete().await.unwrap();
    serving.abort();
}

fn launch() -> Launch {
    let config = AgentConfig::from_yaml("{id: a, name: A, driver: scripted}").unwrap().config;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    Launch::new(&config, options, Owner::of(&Secret::new("key")))
}

/// Lets the store fail, and somebody notice.
async fn fail(store: &Failing, sessions: &Sessions, session: &Arc<Session>) {
    store.set(true);
    let notices = Arc::clone(session);
    tokio::spawn(async move { notices.rename("whatever").await });
    sessions.journal().trouble().wait_for(Option::is_some).await.unwrap();
}

#[tokio::test]
async fn what_ends_while_the_store_fails_is_gone_when_it_works() {
    let (store, provider) = (Failing::default(), MemoryProvider::default());
    let providers = ProviderSet::of(Arc::new(provider.clone()));
    let sessions = Sessions::builder(providers).store(Arc::new(store.clone())).build().unwrap();
    let containers = async || provider.list(ListFilter::default()).await.unwrap().len();

    let once = sessions.launch_disposable(launch()).await.unwrap();
    fail(&store, &sessions, once.session()).await;
    drop(once);
    store.set(false);
    let gone = async {
        while containers().await > 0 || !sessions.list().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();

    let session = sessions.launch(launch()).await.unwrap();
    fail(&store, &sessions, &session).await;
    let ending = sessions.clone();
    let end = tokio::spawn(async move { ending.shutdown().await });
    sessions.shutting_down().await;
    store.set(false);
    end.await.unwrap();
    assert_eq!((containers().await, store.inner.sessions().await.unwrap().len()), (0, 0));
}
