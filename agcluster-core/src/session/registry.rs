//! All sessions of one application.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use agcluster_protocol::{EventBody, FailureReason};
use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::placement::Placement;
use super::{AgentId, Launch, Owner, Result, Session, SessionError, SessionId, State, Status, launch, pump};
use crate::agent::TokenKey;
use crate::journal::{Entry, Journal, MemoryJournal};
use crate::provider::{ContainerProvider, DestroyOptions, ListFilter, ProviderSet};

/// How many sessions are removed at a time when all are.
const REMOVALS: usize = 16;

/// Launches sessions, knows them, and removes them. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    providers: ProviderSet,
    journal: Arc<dyn Journal>,
    cluster: String,
    key: TokenKey,
    sessions: RwLock<HashMap<SessionId, Arc<Session>>>,
    shutdown: CancellationToken,
}

/// Sets a [`Sessions`] up.
#[derive(Debug)]
pub struct SessionsBuilder {
    providers: ProviderSet,
    journal: Option<Arc<dyn Journal>>,
    cluster: String,
    key: Option<TokenKey>,
}

impl SessionsBuilder {
    /// Where events are kept; in memory, unless said otherwise.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// The name under which containers are labelled; `default`, unless said otherwise. Two applications on one platform
    /// need two names.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// The key of all containers' tokens; a random one, unless said otherwise.
    pub fn token_key(mut self, key: TokenKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Ready to launch.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn build(self) -> std::io::Result<Sessions> {
        let key = self.key.map_or_else(TokenKey::random, Ok)?;
        let inner = Inner {
            providers: self.providers,
            journal: self.journal.unwrap_or_else(|| Arc::new(MemoryJournal::default())),
            cluster: self.cluster,
            key,
            sessions: RwLock::default(),
            shutdown: CancellationToken::new(),
        };
        Ok(Sessions { inner: Arc::new(inner) })
    }
}

impl Sessions {
    /// Sessions on these providers.
    pub fn builder(providers: ProviderSet) -> SessionsBuilder {
        SessionsBuilder { providers, journal: None, cluster: "default".to_owned(), key: None }
    }

    /// Sessions on one provider, with everything else as it comes.
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

    /// Launches a session and answers when its agent takes turns. A caller who leaves does not end the launch; the session
    /// is found by [`list`](Self::list).
    ///
    /// # Errors
    /// After an error nothing is left of the session.
    pub async fn launch(&self, launch: Launch) -> Result<Arc<Session>> {
        if self.is_shutting_down() {
            return Err(SessionError::ShuttingDown);
        }
        let placement = Placement::new(self.inner.providers.select(&launch.providers)?);
        let session = Arc::new(self.session(&launch, placement));
        self.inner.journal.open(&session.id).await?;
        self.sessions_mut(|sessions| sessions.insert(session.id.clone(), Arc::clone(&session)));
        let (sessions, launched) = (self.clone(), Arc::clone(&session));
        let task = tokio::spawn(async move {
            let result = launch::run(&launched, launch, &sessions.inner.cluster, &sessions.inner.key).await;
            if result.is_err() {
                sessions.forget(&launched).await;
            }
            result
        });
        task.await.map_err(|_| SessionError::Removed)??;
        Ok(session)
    }

    fn session(&self, launch: &Launch, placement: Placement) -> Session {
        let now = Timestamp::now();
        Session {
            id: SessionId::generate(),
            agent_id: AgentId::generate(),
            config_id: launch.config_id.clone(),
            owner: launch.owner,
            placement,
            journal: Arc::clone(&self.inner.journal),
            created_at: now,
            state: watch::Sender::new(State::default()),
            agent: OnceLock::new(),
            facts: OnceLock::new(),
            last_active_ms: AtomicI64::new(now.as_millisecond()),
            cancel: self.inner.shutdown.child_token(),
            lifecycle: tokio::sync::Mutex::default(),
            writer: tokio::sync::Mutex::default(),
        }
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

    /// Ends a session: its running turn, its container, its workspace, its journal. Removing what is unknown is success.
    ///
    /// # Errors
    /// [`SessionError::Provider`] when the platform does not remove it; the session stays known and can be removed again.
    pub async fn remove(&self, id: &SessionId) -> Result<()> {
        let Some(session) = self.get(id) else { return Ok(()) };
        let sessions = self.clone();
        // In a task of its own: a caller who leaves does not leave half a session behind.
        let task = tokio::spawn(async move { sessions.remove_now(&session).await });
        task.await.map_err(|_| SessionError::Removed)?
    }

    async fn remove_now(&self, session: &Arc<Session>) -> Result<()> {
        session.state.send_modify(|state| {
            state.go(Status::Stopping);
        });
        session.cancel.cancel();
        let _lifecycle = session.lifecycle.lock().await;
        let _writer = session.writer.lock().await;
        if self.get(&session.id).is_none() {
            return Ok(());
        }
        let entries = pump::end_turn(session, FailureReason::SessionStopped, "the session was removed");
        if !entries.is_empty() {
            session.journal.append(&session.id, entries).await?;
            session.state.send_modify(|state| state.turn = None);
        }
        if let Err(error) = launch::destroy_all(session).await {
            let reason = format!("it could not be removed: {error}");
            session.state.send_modify(|state| {
                state.go(Status::Failed { reason });
            });
            return Err(error);
        }
        self.forget(session).await;
        Ok(())
    }

    /// Says that a session is over and drops it.
    async fn forget(&self, session: &Session) {
        let generation = session.state.borrow().generation;
        session.state.send_modify(|state| {
            state.go(Status::Stopping);
            state.go(Status::Stopped);
        });
        let stopped = EventBody::SessionChanged { status: Status::Stopped.as_str().to_owned(), reason: None };
        let journal = &self.inner.journal;
        let _ = journal.append(&session.id, vec![Entry::own(generation, None, stopped)]).await;
        if let Err(error) = journal.remove(&session.id).await {
            tracing::error!(session = %session.id, %error, "a session's journal could not be removed");
        }
        self.sessions_mut(|sessions| sessions.remove(&session.id));
    }

    /// Removes containers of this cluster that belong to no session known here, on every provider: what an earlier run of
    /// this application left when it was killed. Gives how many.
    ///
    /// # Errors
    /// The first provider's that failed; the others have been swept all the same.
    pub async fn destroy_orphans(&self) -> Result<usize> {
        let mut destroyed = 0;
        let mut first_error = None;
        for (_, provider) in self.inner.providers.iter() {
            match self.destroy_orphans_of(provider.as_ref()).await {
                Ok(count) => destroyed += count,
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(destroyed), |error| Err(error.into()))
    }

    async fn destroy_orphans_of(&self, provider: &dyn ContainerProvider) -> crate::provider::Result<usize> {
        let mut destroyed = 0;
        for container in provider.list(ListFilter::cluster(&*self.inner.cluster)).await? {
            let session = SessionId::from_text(&*container.labels.session);
            if self.get(&session).is_none() {
                provider.destroy(&container.id, DestroyOptions::default()).await?;
                destroyed += 1;
            }
        }
        Ok(destroyed)
    }

    /// Takes no new sessions, removes all there are, and answers when they are gone.
    pub async fn shutdown(&self) {
        self.inner.shutdown.cancel();
        let removals = self.list().into_iter().map(|session| async move {
            if let Err(error) = self.remove(&session.id).await {
                tracing::error!(session = %session.id, %error, "a session could not be removed at shutdown");
            }
        });
        futures::stream::iter(removals).buffer_unordered(REMOVALS).collect::<()>().await;
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    /// Ends when [`shutdown`](Self::shutdown) begins.
    pub async fn shutting_down(&self) {
        self.inner.shutdown.cancelled().await;
    }

    fn sessions_mut<T>(&self, change: impl FnOnce(&mut HashMap<SessionId, Arc<Session>>) -> T) -> T {
        change(&mut self.inner.sessions.write().unwrap_or_else(PoisonError::into_inner))
    }
}
