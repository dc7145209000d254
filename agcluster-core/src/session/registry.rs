//! All sessions of one application.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use agcluster_protocol::TurnId;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::bring_up::{FIRST_GENERATION, bring_up, destroy_all};
use super::credentials::{Credentials, without_secrets};
use super::placement::Placement;
use super::session_handle::Cluster;
use super::{
    AgentId, AgentSpec, ApprovalPolicy, Launch, Owner, Progress, Result, Session, SessionError, SessionId,
    SessionRecord, State, Status,
};
use crate::agent::TokenKey;
use crate::journal::{Journal, Patience};
use crate::measure;
use crate::provider::{ContainerProvider, DestroyOptions, ProviderSet};
use crate::store::{
    AuditRecord, Change, IdempotencyRecord, MemoryStore, Retention, Store, Subject, TurnRecord,
};

/// Launches with an idempotency key that may look for each other at a time.
const KEY_LOCKS: usize = 64;

/// Launches sessions, knows them, and removes them. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) providers: ProviderSet,
    pub(super) journal: Journal,
    pub(super) cluster: Arc<Cluster>,
    pub(super) sessions: RwLock<HashMap<SessionId, Arc<Session>>>,
    pub(super) shutdown: CancellationToken,
    /// What is still to be done about sessions that were removed, until it is cut off: the next start does the rest.
    pub(super) endings: TaskTracker,
    pub(super) cut_off: CancellationToken,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) orphans: super::recovery::Orphans,
    /// Held while a session is written down whose name was chosen.
    choosing: tokio::sync::Mutex<()>,
    key_locks: [tokio::sync::Mutex<()>; KEY_LOCKS],
}

/// What an earlier launch with the same key came to.
#[derive(Debug)]
pub(super) enum Earlier {
    /// There was none.
    None,
    /// Its session is gone.
    Gone,
    /// Its session.
    Session(Arc<Session>),
}

/// Sets a [`Sessions`] up.
#[derive(Debug)]
pub struct SessionsBuilder {
    providers: ProviderSet,
    store: Option<Arc<dyn Store>>,
    retention: Retention,
    cluster: String,
    key: Option<TokenKey>,
    approvals: ApprovalPolicy,
}

impl SessionsBuilder {
    /// Where everything is kept; in memory, unless said otherwise. With a store that lasts, call
    /// [`Sessions::recover`] to find again what an earlier run left.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// How much of each session's events is kept.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The name under which containers are labelled; `default`, unless said otherwise. Two applications on one platform
    /// need two names.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// The key of all containers' tokens; a random one, unless said otherwise. Containers of an earlier run can be reached
    /// only with the key that it had.
    pub fn token_key(mut self, key: TokenKey) -> Self {
        self.key = Some(key);
        self
    }

    /// How long people may take to answer agents whose configuration says nothing about it.
    pub fn approvals(mut self, policy: ApprovalPolicy) -> Self {
        self.approvals = policy;
        self
    }

    /// Ready to launch. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn build(self) -> std::io::Result<Sessions> {
        let key = self.key.map_or_else(TokenKey::random, Ok)?;
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::default()));
        let inner = Inner {
            providers: self.providers,
            journal: Journal::new(store, self.retention),
            cluster: Arc::new(Cluster {
                name: self.cluster,
                key,
                approvals: self.approvals,
                asked: watch::Sender::default(),
            }),
            sessions: RwLock::default(),
            shutdown: CancellationToken::new(),
            endings: TaskTracker::new(),
            cut_off: CancellationToken::new(),
            progress: watch::Sender::default(),
            orphans: super::recovery::Orphans::default(),
            choosing: tokio::sync::Mutex::default(),
            key_locks: std::array::from_fn(|_| tokio::sync::Mutex::default()),
        };
        Ok(Sessions { inner: Arc::new(inner) })
    }
}

impl Sessions {
    /// Sessions on these providers.
    pub fn builder(providers: ProviderSet) -> SessionsBuilder {
        SessionsBuilder {
            providers,
            store: None,
            retention: Retention::default(),
            cluster: "default".to_owned(),
            key: None,
            approvals: ApprovalPolicy::default(),
        }
    }

    /// Sessions on one provider, in memory, with everything else as it comes.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn on(provider: Arc<dyn ContainerProvider>) -> std::io::Result<Self> {
        Self::builder(ProviderSet::of(provider)).build()
    }

    /// The providers sessions can be launched on.
    pub fn providers(&self) -> &ProviderSet {
        &self.inner.providers
    }

    /// The journal of all sessions, and the store behind it.
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// Launches a session and answers when its agent takes turns. A caller who leaves does not end the launch; the session
    /// is found by [`list`](Self::list). A launch with the idempotency key of an earlier one gives that one's session.
    ///
    /// # Errors
    /// After an error nothing is left of the session.
    pub async fn launch(&self, launch: Launch) -> Result<Arc<Session>> {
        if self.is_shutting_down() {
            return Err(SessionError::ShuttingDown);
        }
        let sessions = self.clone();
        let span = tracing::info_span!("launch", session = Empty, provider = Empty, outcome = Empty);
        let task = tokio::spawn(async move { sessions.launch_now(launch).await }.instrument(span));
        task.await.map_err(|_| SessionError::Removed)?
    }

    async fn launch_now(&self, launch: Launch) -> Result<Arc<Session>> {
        let session = {
            let _key = match &launch.idempotency {
                None => None,
                Some(idempotency) => Some(self.key_lock(&launch.owner, &idempotency.key).await),
            };
            match self.launched_before(&launch).await? {
                Earlier::Session(session) => return self.until_launched(session, &launch).await,
                earlier => self.write_down(&launch, &earlier).await?,
            }
        };
        self.bring_up_new(session, launch).await
    }

    /// Brings a session up that was just written down. After an error nothing is left of it.
    pub(super) async fn bring_up_new(&self, session: Arc<Session>, launch: Launch) -> Result<Arc<Session>> {
        let begun = Instant::now();
        let _lifecycle = session.lifecycle.lock().await;
        let brought_up = session.cancel.run_until_cancelled(bring_up(&session, launch.warnings)).await;
        let brought_up = brought_up.unwrap_or(Err(SessionError::Removed));
        let outcome = brought_up.as_ref().map_or_else(SessionError::code, |()| "ok");
        measure::launched(session.placement.name(), outcome, begun.elapsed());
        Span::current().record("session", session.id.as_str());
        Span::current().record("provider", session.placement.name());
        Span::current().record("outcome", outcome);
        if let Err(error) = brought_up {
            tracing::info!(session = %session.id, %error, "a launch failed");
            let _ = session.announce(Status::Stopping, None).await;
            match destroy_all(&session, DestroyOptions::default()).await {
                Ok(()) => self.forget(&session, launch.idempotency.map(|idempotency| idempotency.key)).await,
                // It stays known as stopping, and the next sweep tries again.
                Err(error) => {
                    tracing::warn!(session = %session.id, %error, "a failed launch could not be cleaned up yet");
                }
            }
            return Err(error);
        }
        Ok(Arc::clone(&session))
    }

    pub(super) async fn key_lock(&self, owner: &Owner, key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        (owner.to_hex(), key).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % KEY_LOCKS as u64).unwrap_or_default();
        self.inner.key_locks[place].lock().await
    }

    /// What an earlier launch with the same key made.
    pub(super) async fn launched_before(&self, launch: &Launch) -> Result<Earlier> {
        let Some(idempotency) = &launch.idempotency else { return Ok(Earlier::None) };
        let store = self.inner.journal.store();
        let Some(record) = store.idempotency(&launch.owner, &idempotency.key).await? else {
            return Ok(Earlier::None);
        };
        if record.fingerprint != idempotency.fingerprint || record.turn.is_some() {
            return Err(SessionError::IdempotencyMismatch);
        }
        Ok(self.get(&record.session).map_or(Earlier::Gone, Earlier::Session))
    }

    /// Waits for the end of a launch that somebody else began, and brings it what it may lack.
    pub(super) async fn until_launched(
        &self,
        session: Arc<Session>,
        launch: &Launch,
    ) -> Result<Arc<Session>> {
        session.credentials.send_replace(credentials(launch));
        let mut state = session.state();
        let ended = state.wait_for(|state| state.status != Status::Starting).await;
        match ended.map_err(|_| SessionError::Removed)?.status {
            Status::Stopping | Status::Stopped => Err(SessionError::Removed),
            _ => Ok(Arc::clone(&session)),
        }
    }

    /// Writes down that a session is being launched, before anything is made for it.
    pub(super) async fn write_down(&self, launch: &Launch, earlier: &Earlier) -> Result<Arc<Session>> {
        let placement = Placement::open(self.inner.providers.select(&launch.providers)?);
        let now = Timestamp::now();
        let (id, _choosing) = match &launch.id {
            None => (SessionId::generate(), None),
            Some(id) => (id.clone(), Some(self.choose(id).await?)),
        };
        let record = SessionRecord {
            id,
            agent_id: AgentId::generate(),
            config_id: launch.config_id.clone(),
            owner: launch.owner,
            provider: placement.name(),
            candidates: placement.candidates(),
            agent: AgentSpec { options: without_secrets(&launch.agent.options).0, ..launch.agent.clone() },
            policy: launch.policy,
            files: launch.files.clone(),
            approvals: launch.approvals.or(self.inner.cluster.approvals),
            disposable: launch.disposable,
            model_base_url: launch.model_access.as_ref().map(|access| access.base_url.clone()),
            repository: launch.repository.clone(),
            created_at: now,
            last_active: now,
            state: State { generation: FIRST_GENERATION, ..State::default() },
            facts: None,
        };
        let mut changes = vec![
            Change::Session(Box::new(record.clone())),
            Change::Audit(audit("session.launched", &record.owner, &record.id)),
        ];
        if let Some(idempotency) = &launch.idempotency {
            if !matches!(earlier, Earlier::None) {
                // What it named is gone, though those who read how it ended may keep the note of it for a while.
                let (owner, key) = (launch.owner, idempotency.key.clone());
                changes.push(Change::RemoveIdempotency { owner, key });
            }
            changes.push(Change::Idempotency(IdempotencyRecord {
                owner: launch.owner,
                key: idempotency.key.clone(),
                fingerprint: idempotency.fingerprint.clone(),
                session: record.id.clone(),
                turn: None,
                at: now,
            }));
        }
        let session = self.session(record, placement);
        session.credentials.send_replace(credentials(launch));
        self.inner.journal.open(&session.id);
        if let Err(error) = self.inner.journal.commit(changes, Patience::Short).await {
            // It may be kept all the same.
            let gone = vec![Change::RemoveSession(session.id.clone())];
            let journal = self.inner.journal.clone();
            tokio::spawn(async move { journal.commit(gone, Patience::Endless).await });
            self.inner.journal.forget(&session.id);
            return Err(error.into());
        }
        self.sessions_mut(|sessions| sessions.insert(session.id.clone(), Arc::clone(&session)));
        Ok(session)
    }

    /// Sees that nobody has this name, or takes it while the answer is held.
    async fn choose(&self, id: &SessionId) -> Result<tokio::sync::MutexGuard<'_, ()>> {
        let choosing = self.inner.choosing.lock().await;
        // Of a session that was removed, those who read how it ended may read on for a while.
        let is_read = self.inner.journal.store().extent(id).await?.head > 0;
        if is_read || self.get(id).is_some() { Err(SessionError::IdTaken(id.clone())) } else { Ok(choosing) }
    }

    pub(super) fn session(&self, record: SessionRecord, placement: Placement) -> Arc<Session> {
        let Inner { cluster, journal, shutdown, .. } = &*self.inner;
        let cancel = shutdown.child_token();
        Arc::new(Session::from_record(record, placement, Arc::clone(cluster), journal.clone(), cancel))
    }

    /// The session of that name.
    pub fn get(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The session of that name, if it is this owner's. Somebody else's is not found.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn get_owned(&self, id: &SessionId, owner: Owner) -> Result<Arc<Session>> {
        self.get(id)
            .filter(|session| session.owner == owner)
            .ok_or_else(|| SessionError::NotFound(id.clone()))
    }

    /// All sessions, oldest first.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> =
            self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// A turn, if it is in a session of this owner's, and that session.
    ///
    /// # Errors
    /// [`SessionError::UnknownTurn`].
    pub async fn turn(&self, id: TurnId, owner: Owner) -> Result<(TurnRecord, Arc<Session>)> {
        let unknown = || SessionError::UnknownTurn(id.to_string());
        let record = self.inner.journal.store().turn(id).await?.ok_or_else(unknown)?;
        let session = self.get_owned(&record.session, owner).map_err(|_| unknown())?;
        Ok((record, session))
    }

    /// The turns of an owner's sessions, or of one of them, newest first, before a given one.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn turns(
        &self,
        owner: Owner,
        session: Option<&SessionId>,
        before: Option<TurnId>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>> {
        Ok(self.inner.journal.store().turns(&owner, session, before, limit).await?)
    }

    pub(super) fn sessions_mut<T>(
        &self,
        change: impl FnOnce(&mut HashMap<SessionId, Arc<Session>>) -> T,
    ) -> T {
        change(&mut self.inner.sessions.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn credentials(launch: &Launch) -> Credentials {
    Credentials {
        api_key: launch.model_access.as_ref().map(|access| access.api_key.clone()),
        options: Some(launch.agent.options.clone()),
        git: launch.git_credentials.clone(),
    }
}

pub(super) fn audit(action: &str, owner: &Owner, session: &SessionId) -> AuditRecord {
    let subject = Subject { session: session.clone(), turn: None, request: None };
    AuditRecord { at: Timestamp::now(), owner: *owner, action: action.to_owned(), subject }
}
