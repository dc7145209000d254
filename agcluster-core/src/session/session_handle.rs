//! A session, as its users hold it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use agcluster_protocol::workspace::git;
use agcluster_protocol::{Liveness, Secret, Settings, TurnId, codes};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use super::approvals::told;
use super::credentials::{Credentials, without_secrets};
use super::placement::Placement;
use super::repository;
use super::turn_end::LastWords;
use super::{
    AgentId, AgentSpec, ApprovalPolicy, LaunchFacts, LaunchTimings, Owner, Repository, Result, SessionError,
    SessionId, SessionPolicy, SessionRecord, State, Status, Waking,
};
use crate::agent::{AgentClient, AgentError, TokenKey};
use crate::journal::{self, Entry, Journal, JournalError, Patience, Record, ShownWith};
use crate::provider::ContainerProvider;
use crate::store::{Change, StoreError, TurnRecord};

/// A session. Held in an `Arc`; every method may be called from anywhere at any time.
#[derive(Debug)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) agent_id: AgentId,
    pub(super) config_id: String,
    pub(super) owner: Owner,
    pub(super) created_at: Timestamp,
    pub(super) agent: AgentSpec,
    pub(super) policy: SessionPolicy,
    pub(super) approvals: ApprovalPolicy,
    pub(super) disposable: bool,
    pub(super) model_base_url: Option<String>,
    pub(super) repository: Option<Repository>,
    /// Files that its workspace shall begin with, until they are there.
    pub(super) files: Mutex<BTreeMap<String, String>>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) journal: Journal,
    pub(super) placement: Placement,
    pub(super) state: watch::Sender<State>,
    /// Reaches the agent server of the present generation.
    pub(super) client: watch::Sender<Option<AgentClient>>,
    pub(super) facts: RwLock<Option<LaunchFacts>>,
    pub(super) credentials: watch::Sender<Credentials>,
    pub(super) last_active_ms: AtomicI64,
    /// Requests that act and still go on.
    pub(super) acting: AtomicUsize,
    pub(super) last_event_ms: AtomicI64,
    /// How long it took to thaw it the last time, in microseconds; 0 when it was not since the start.
    pub(super) thawed_us: AtomicU64,
    /// The running turn of a client's, as it is kept, and those that wait for it.
    pub(super) turns: Mutex<Turns>,
    /// Ends everything that works for it.
    pub(super) cancel: CancellationToken,
    /// Ends what works for the present generation.
    pub(super) attachment: Mutex<CancellationToken>,
    /// Held while the container is made, changed or removed.
    pub(super) lifecycle: tokio::sync::Mutex<()>,
    /// Held by whoever carries events into the journal, or ends a turn that nobody carries.
    pub(super) carrier: tokio::sync::Mutex<()>,
    /// Held by the one request with an idempotency key that is being begun.
    pub(super) naming: Arc<tokio::sync::Mutex<()>>,
    /// Held from reading the state until its change is kept and shown.
    pub(super) changing: Arc<tokio::sync::Mutex<()>>,
}

/// What all sessions of an application have in common.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) key: TokenKey,
    /// For sessions whose configuration says nothing.
    pub(super) approvals: ApprovalPolicy,
    /// Moves whenever the requests that are open anywhere are others.
    pub(super) asked: watch::Sender<u64>,
}

/// The turns that clients asked for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) current: Option<TurnRecord>,
    /// Since when it has its place; until its first event.
    pub(super) placed: Option<std::time::Instant>,
    pub(super) queued: VecDeque<TurnRecord>,
    /// What the agent has said last in its running turn.
    pub(super) last_words: Option<LastWords>,
    /// What the watchdog has said last.
    pub(super) said: Option<super::watchdog::Said>,
}

impl Turns {
    /// Gives a turn its place: it is the one that runs.
    pub(super) fn place(&mut self, turn: TurnRecord) {
        self.current = Some(turn);
        self.placed = Some(std::time::Instant::now());
    }
}

/// A session at one moment.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Its public name.
    pub id: SessionId,
    /// The name of its agent.
    pub agent_id: AgentId,
    /// The configuration it was launched with.
    pub config_id: String,
    /// The provider it is on; while it is launched, the one that is asked.
    pub provider: String,
    /// What is changing.
    pub state: State,
    /// Turns that wait, oldest first.
    pub queued: Vec<TurnId>,
    /// Whether its agent server is being listened to.
    pub attached: bool,
    /// What it takes to wake it, while it rests.
    pub waking: Option<Waking>,
    /// What its owner has to bring for it to go on, in words.
    pub credentials_required: Option<String>,
    /// The agent program's name and version, once it runs.
    pub agent: Option<String>,
    /// When it was launched.
    pub created_at: Timestamp,
    /// When something last acted in it: a request that acts, or an event.
    pub last_active: Timestamp,
    /// What is less than was asked for, one sentence each.
    pub warnings: Vec<String>,
    /// The repository it began with.
    pub repository: Option<Repository>,
    /// How long the launch took, once it is done.
    pub timings: Option<LaunchTimings>,
}

impl Session {
    /// A session as it was kept.
    pub(super) fn from_record(
        record: SessionRecord,
        placement: Placement,
        cluster: Arc<Cluster>,
        journal: Journal,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            id: record.id,
            agent_id: record.agent_id,
            config_id: record.config_id,
            owner: record.owner,
            created_at: record.created_at,
            agent: record.agent,
            policy: record.policy,
            approvals: record.approvals.or(cluster.approvals),
            disposable: record.disposable,
            files: Mutex::new(record.files),
            model_base_url: record.model_base_url,
            repository: record.repository,
            cluster,
            journal,
            placement,
            state: watch::Sender::new(record.state),
            client: watch::Sender::new(None),
            facts: RwLock::new(record.facts),
            credentials: watch::Sender::default(),
            acting: AtomicUsize::new(0),
            last_active_ms: AtomicI64::new(record.last_active.as_millisecond()),
            // An earlier run's silence is not known: it begins now.
            last_event_ms: AtomicI64::new(Timestamp::now().as_millisecond()),
            thawed_us: AtomicU64::new(0),
            turns: Mutex::default(),
            attachment: Mutex::new(cancel.child_token()),
            cancel,
            lifecycle: tokio::sync::Mutex::default(),
            carrier: tokio::sync::Mutex::default(),
            naming: Arc::default(),
            changing: Arc::default(),
        }
    }

    /// Its public name.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose it is.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// What runs in it, without the secrets of it.
    pub fn agent(&self) -> &AgentSpec {
        &self.agent
    }

    /// Gives it a name for people, of at most 200 characters; what is longer is cut. An empty one takes the name away.
    /// Naming is not activity.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn rename(self: &Arc<Self>, name: &str) -> Result<()> {
        let name: String = name.trim().chars().take(MOST_OF_A_NAME).collect();
        let session = Arc::clone(self);
        // In a task of its own: a caller who leaves does not leave half a change behind.
        let renaming = tokio::spawn(async move {
            let renamed = session.change(Patience::Short, |state| {
                if matches!(state.status, Status::Stopping | Status::Stopped) {
                    return Err(SessionError::Removed);
                }
                state.name = Some(name).filter(|name| !name.is_empty());
                Ok(Along::default())
            });
            renamed.await
        });
        renaming.await.map_err(|_| SessionError::Removed)?
    }

    /// What it is doing, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Everything worth showing, now. Looking is not activity.
    pub fn info(&self) -> SessionInfo {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner).clone();
        let state = self.state.borrow().clone();
        let goes_on = matches!(state.status, Status::Starting | Status::Sleeping | Status::Failed { .. });
        let credentials_required = goes_on.then(|| self.missing_credentials()).flatten();
        let timings = facts.as_ref().map(|facts| facts.timings);
        SessionInfo {
            waking: self.waking(&state.status, timings),
            id: self.id.clone(),
            agent_id: self.agent_id.clone(),
            config_id: self.config_id.clone(),
            provider: self.placement.name(),
            state,
            queued: self.turns(|turns| turns.queued.iter().map(|turn| turn.id).collect()),
            attached: self.client.borrow().is_some(),
            credentials_required,
            agent: facts.as_ref().map(|facts| facts.agent.clone()),
            created_at: self.created_at,
            last_active: self.last_active(),
            warnings: facts.as_ref().map(|facts| facts.warnings.clone()).unwrap_or_default(),
            repository: self.repository.clone(),
            timings,
        }
    }

    /// Every record after a cursor, then live ones until the session is removed.
    ///
    /// # Errors
    /// [`SessionError::Journal`] for a cursor that is too old or from the future.
    pub async fn events(&self, after: u64) -> Result<BoxStream<'static, journal::Result<Arc<Record>>>> {
        let records = journal::subscribe(self.journal.clone(), self.id.clone(), after).await;
        Ok(records.map_err(|error| self.unread(error))?.boxed())
    }

    /// Up to `limit` records after a cursor.
    ///
    /// # Errors
    /// [`SessionError::Journal`] for a cursor that is too old or from the future.
    pub async fn read(&self, after: u64, limit: usize) -> Result<Vec<Arc<Record>>> {
        self.journal.read(&self.id, after, limit).await.map_err(|error| self.unread(error))
    }

    /// The number of the newest event.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn head(&self) -> Result<u64> {
        Ok(self.journal.head(&self.id).await?.borrow().seq)
    }

    /// The number of the oldest event that is kept; 0 when there is none.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn earliest(&self) -> Result<u64> {
        Ok(self.journal.store().extent(&self.id).await?.earliest)
    }

    /// Why its events cannot be read. Of a session that was removed meanwhile there are none, whatever the cursor.
    pub(super) fn unread(&self, error: JournalError) -> SessionError {
        match error {
            JournalError::CursorInFuture { .. } if self.state.borrow().status == Status::Stopped => {
                SessionError::NotFound(self.id.clone())
            }
            error => error.into(),
        }
    }

    /// Asks a turn to end, or whichever runs where none is named. Its terminal event follows in the journal.
    ///
    /// # Errors
    /// [`SessionError::Idle`] when that turn does not run, or none does.
    pub async fn interrupt(&self, turn: Option<TurnId>) -> Result<TurnId> {
        self.touch();
        match self.client().await?.interrupt(turn).await {
            Ok(interrupted) => Ok(interrupted.turn),
            Err(error) if error.is_refusal(codes::IDLE) => Err(SessionError::Idle),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes model or permission mode from now on.
    ///
    /// # Errors
    /// [`SessionError::Agent`] when the agent program does not take it.
    pub async fn settings(&self, settings: &Settings) -> Result<()> {
        self.touch();
        Ok(self.client().await?.settings(settings).await?)
    }

    /// The client of its agent server, for a request that acts.
    pub(crate) async fn agent_client(&self) -> Result<AgentClient> {
        self.touch();
        self.client().await
    }

    /// One clock for each thing in it that may get stuck. Looking is not activity.
    ///
    /// # Errors
    /// [`SessionError::Agent`] when the agent server does not answer.
    pub async fn liveness(&self) -> Result<Liveness> {
        Ok(self.client().await?.liveness().await?)
    }

    /// Brings the key of the model API, which is kept nowhere, to a session that may need it to go on.
    pub fn bring_key(&self, key: &Secret) {
        if self.model_base_url.is_some() && Owner::of(key) == self.owner {
            self.credentials.send_if_modified(|credentials| {
                let news = credentials.api_key.is_none();
                if news {
                    credentials.api_key = Some(key.clone());
                }
                news
            });
        }
    }

    /// Brings the options with their secrets, of which only the rest is kept.
    pub fn bring_options(&self, options: agcluster_protocol::AgentOptions) {
        self.credentials.send_modify(|credentials| credentials.options = Some(options));
    }

    /// Brings what opens its repository, which is kept nowhere, to a session that has not cloned it yet.
    pub fn bring_git_credentials(&self, credentials: git::Credentials) {
        self.credentials.send_modify(|known| known.git = Some(credentials));
    }

    /// The same for options of a configuration that is kept nowhere: they must be those of the launch.
    ///
    /// # Errors
    /// [`SessionError::ConfigDiffers`].
    pub fn bring_same_options(&self, options: agcluster_protocol::AgentOptions) -> Result<()> {
        if without_secrets(&options).0 != self.agent.options {
            return Err(SessionError::ConfigDiffers);
        }
        self.bring_options(options);
        Ok(())
    }

    /// Files that its workspace lacks yet.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is missing to start its agent, in words.
    pub(super) fn missing_credentials(&self) -> Option<String> {
        let credentials = self.credentials.borrow();
        let of_agent = credentials.missing(&self.agent, self.model_base_url.as_deref());
        let is_private = self.repository.as_ref().is_some_and(|repository| repository.private);
        let of_repository = is_private && credentials.git.is_none() && !self.state.borrow().cloned;
        let of_repository = of_repository.then(|| repository::MISSING.to_owned());
        let missing: Vec<String> = of_agent.into_iter().chain(of_repository).collect();
        (!missing.is_empty()).then(|| missing.join(" and "))
    }

    /// When something last acted.
    pub(super) fn last_active(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_active_ms.load(Ordering::Relaxed)).unwrap_or(self.created_at)
    }

    /// Notes that something acted.
    pub(crate) fn touch(&self) {
        self.last_active_ms.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }

    /// When its agent was last heard of.
    pub(super) fn last_event(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_event_ms.load(Ordering::Relaxed)).unwrap_or(self.created_at)
    }

    /// Notes that its agent was heard of.
    pub(super) fn heard(&self) {
        self.touch();
        self.last_event_ms.store(self.last_active_ms.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The provider it is on.
    pub(super) fn provider(&self) -> Result<Arc<dyn ContainerProvider>> {
        self.placement.provider()
    }

    pub(super) fn turns<T>(&self, look: impl FnOnce(&mut Turns) -> T) -> T {
        look(&mut self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is kept of it, in a given state.
    pub(super) fn record(&self, state: State) -> SessionRecord {
        SessionRecord {
            id: self.id.clone(),
            agent_id: self.agent_id.clone(),
            config_id: self.config_id.clone(),
            owner: self.owner,
            provider: self.placement.name(),
            candidates: self.placement.candidates(),
            agent: self.agent.clone(),
            policy: self.policy,
            approvals: self.approvals,
            disposable: self.disposable,
            files: self.files(),
            model_base_url: self.model_base_url.clone(),
            repository: self.repository.clone(),
            created_at: self.created_at,
            last_active: self.last_active(),
            state,
            facts: self.facts.read().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Changes the state: computed, kept, and only then shown, in one go with entries and together with other changes. A
    /// call that is dropped, or not patient enough, may have changed it or change it yet; until then no other change begins.
    pub(super) async fn change(
        &self,
        patience: Patience,
        change: impl FnOnce(&mut State) -> Result<Along>,
    ) -> Result<()> {
        let changing = Arc::clone(&self.changing).lock_owned();
        let changing = match patience {
            Patience::Endless => changing.await,
            Patience::Short => {
                let waiting = tokio::time::timeout(STORE, self.journal.while_it_works(changing)).await;
                waiting
                    .map_err(|_| StoreError::Unavailable("earlier changes still wait for it".to_owned()))??
            }
        };
        let before = self.state.borrow().clone();
        let mut next = before.clone();
        let Along { entries, mut changes } = change(&mut next)?;
        changes.insert(0, Change::Session(Box::new(self.record(next.clone()))));
        let asks_otherwise = before.asked != next.asked;
        if asks_otherwise {
            changes.extend(told(self, &before.asked, &next.asked));
        }
        let asked = asks_otherwise.then(|| Arc::clone(&self.cluster));
        let changed = Box::new(Changed { state: self.state.clone(), next, asked, _changing: changing });
        Ok(self.journal.append_shown_with(&self.id, entries, changes, changed, patience).await?)
    }

    /// The client of the present agent server. Waits a little for a session that is being adopted.
    pub(super) async fn client(&self) -> Result<AgentClient> {
        {
            let state = self.state.borrow();
            if state.status != Status::Running {
                return Err(state.not_running());
            }
        }
        let mut client = self.client.subscribe();
        let attached = tokio::time::timeout(ADOPTION, client.wait_for(Option::is_some)).await;
        match attached {
            Ok(Ok(client)) => client.clone().ok_or(SessionError::Removed),
            Ok(Err(_)) => Err(SessionError::Removed),
            Err(_) => {
                Err(SessionError::Unreachable("its agent server has not been found again yet".to_owned()))
            }
        }
    }
}

/// The longest name for people, in characters.
const MOST_OF_A_NAME: usize = 200;
/// How long a request waits for earlier changes of its session to be kept.
pub(super) const STORE: std::time::Duration = std::time::Duration::from_secs(5);
/// How long a request waits for a session to be adopted after a restart.
const ADOPTION: std::time::Duration = std::time::Duration::from_secs(10);

/// A state that is kept, and not yet shown.
#[derive(Debug)]
struct Changed {
    state: watch::Sender<State>,
    next: State,
    /// Who shall hear that other requests are open.
    asked: Option<Arc<Cluster>>,
    _changing: OwnedMutexGuard<()>,
}

impl ShownWith for Changed {
    fn show_with(self: Box<Self>, show: &mut dyn FnMut()) {
        let Self { state, next, asked, _changing } = *self;
        state.send_modify(|state| {
            *state = next;
            show();
        });
        if let Some(cluster) = asked {
            cluster.asked.send_modify(|changes| *changes += 1);
        }
    }
}

/// What is kept together with a change of state.
#[derive(Debug, Default)]
pub(super) struct Along {
    pub(super) entries: Vec<Entry>,
    pub(super) changes: Vec<Change>,
}

impl Along {
    pub(super) fn entry(entry: Entry) -> Self {
        Self { entries: vec![entry], changes: Vec::new() }
    }
}

/// A refusal of the agent server's that says that it is busy.
pub(super) fn is_busy(error: &AgentError) -> bool {
    error.is_refusal(codes::BUSY)
}
