//! A session, as its users hold it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use agcluster_protocol::{Answer, PromptBlock, Query, Settings, TurnId, codes};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::placement::Placement;
use super::{AgentId, LaunchTimings, Owner, Result, SessionError, SessionId, State, Status, Turn};
use crate::agent::{AgentClient, AgentError};
use crate::journal::{self, Journal, Record};

/// A session. Held in an `Arc`; every method may be called from anywhere at any time.
#[derive(Debug)]
pub struct Session {
    pub(super) id: SessionId,
    pub(super) agent_id: AgentId,
    pub(super) config_id: String,
    pub(super) owner: Owner,
    pub(super) placement: Placement,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) created_at: Timestamp,
    pub(super) state: watch::Sender<State>,
    pub(super) agent: OnceLock<AgentClient>,
    pub(super) facts: OnceLock<LaunchFacts>,
    pub(super) last_active_ms: AtomicI64,
    /// Ends the launch and the pump.
    pub(super) cancel: CancellationToken,
    /// Held while the container is made or removed.
    pub(super) lifecycle: tokio::sync::Mutex<()>,
    /// Held by whoever appends to the journal.
    pub(super) writer: tokio::sync::Mutex<()>,
}

/// What a launch found out.
#[derive(Debug, Clone)]
pub(super) struct LaunchFacts {
    pub(super) agent: String,
    pub(super) warnings: Vec<String>,
    pub(super) timings: LaunchTimings,
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
    /// The provider it was launched on; while it is starting, the one that is asked.
    pub provider: String,
    /// What is changing.
    pub state: State,
    /// The agent program's name and version, once it runs.
    pub agent: Option<String>,
    /// When it was launched.
    pub created_at: Timestamp,
    /// When something last acted in it: a request that acts, or an event.
    pub last_active: Timestamp,
    /// What is less than was asked for, one sentence each.
    pub warnings: Vec<String>,
    /// How long the launch took, once it is done.
    pub timings: Option<LaunchTimings>,
}

impl Session {
    /// Its public name.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose it is.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// What it is doing, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Everything worth showing, now. Looking is not activity.
    pub fn info(&self) -> SessionInfo {
        let facts = self.facts.get();
        SessionInfo {
            id: self.id.clone(),
            agent_id: self.agent_id.clone(),
            config_id: self.config_id.clone(),
            provider: self.placement.name().to_owned(),
            state: self.state.borrow().clone(),
            agent: facts.map(|facts| facts.agent.clone()),
            created_at: self.created_at,
            last_active: self.last_active(),
            warnings: facts.map(|facts| facts.warnings.clone()).unwrap_or_default(),
            timings: facts.map(|facts| facts.timings),
        }
    }

    /// Starts a turn and gives its records. The turn ends by itself, by [`interrupt`](Self::interrupt), or with the
    /// session; dropping the answer, or this future, does not end it.
    ///
    /// # Errors
    /// [`SessionError::Busy`] while another turn runs, [`SessionError::NotRunning`] outside of running.
    pub async fn chat(self: &Arc<Self>, prompt: Vec<PromptBlock>) -> Result<Turn> {
        let turn = TurnId::generate();
        let mut begun = Ok(());
        self.state.send_modify(|state| begun = state.begin(turn));
        begun?;
        self.touch();
        let after = self.journal.head(&self.id)?.borrow().seq;
        // In a task of its own, so that a caller who leaves now leaves a known state behind.
        let session = Arc::clone(self);
        let query = tokio::spawn(async move { session.query(turn, prompt).await });
        query.await.unwrap_or_else(|error| Err(AgentError::Protocol(error.to_string()).into()))?;
        let records = journal::subscribe(Arc::clone(&self.journal), self.id.clone(), after).await?;
        Ok(Turn::new(turn, after, records.boxed()))
    }

    async fn query(&self, turn: TurnId, prompt: Vec<PromptBlock>) -> Result<()> {
        let generation = self.state.borrow().generation;
        let query = Query { turn, generation, prompt };
        let client = self.client()?;
        let mut answer = client.query(&query).await;
        if answer.as_ref().is_err_and(AgentError::is_retryable) {
            // The answer may be lost while the turn runs; the same turn id starts nothing twice.
            answer = client.query(&query).await;
        }
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                self.state.send_modify(|state| state.end(turn));
                Err(if error.is_refusal(codes::BUSY) {
                    SessionError::Busy { turn: None }
                } else {
                    error.into()
                })
            }
        }
    }

    /// Every record after a cursor, then live ones until the session is removed.
    ///
    /// # Errors
    /// [`SessionError::Journal`] for a cursor that is too old or from the future.
    pub async fn events(&self, after: u64) -> Result<BoxStream<'static, journal::Result<Arc<Record>>>> {
        Ok(journal::subscribe(Arc::clone(&self.journal), self.id.clone(), after).await?.boxed())
    }

    /// Asks the running turn to end. Its terminal event follows in the journal.
    ///
    /// # Errors
    /// [`SessionError::Idle`] when none runs.
    pub async fn interrupt(&self) -> Result<TurnId> {
        self.touch();
        match self.client()?.interrupt().await {
            Ok(interrupted) => Ok(interrupted.turn),
            Err(error) if error.is_refusal(codes::IDLE) => Err(SessionError::Idle),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers a permission request or a question.
    ///
    /// # Errors
    /// [`SessionError::UnknownRequest`] when nothing waits for it.
    pub async fn answer(&self, answer: &Answer) -> Result<()> {
        self.touch();
        match self.client()?.answer(answer).await {
            Err(error) if error.is_refusal(codes::UNKNOWN_REQUEST) => {
                Err(SessionError::UnknownRequest(answer.request_id.clone()))
            }
            other => Ok(other?),
        }
    }

    /// Changes model or permission mode from now on.
    ///
    /// # Errors
    /// [`SessionError::Agent`] when the agent program does not take it.
    pub async fn settings(&self, settings: &Settings) -> Result<()> {
        self.touch();
        Ok(self.client()?.settings(settings).await?)
    }

    /// When something last acted.
    pub(super) fn last_active(&self) -> Timestamp {
        Timestamp::from_millisecond(self.last_active_ms.load(Ordering::Relaxed)).unwrap_or(self.created_at)
    }

    /// Notes that something acted.
    pub(super) fn touch(&self) {
        self.last_active_ms.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }

    fn client(&self) -> Result<&AgentClient> {
        let state = self.state.borrow();
        match self.agent.get() {
            Some(client) if state.status == Status::Running => Ok(client),
            _ => Err(state.not_running()),
        }
    }
}
