//! The agent server: what it has been configured with, and how far that has come.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use agcluster_protocol::resources::{EnvironmentNames, ResourceUse};
use agcluster_protocol::{
    Ack, Configure, Configured, Health, Liveness, PROTOCOL_VERSION, Phase, Problem, RestartProgram, codes,
};
use axum::Router;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log::{CursorError, EventLog, Follower, TurnMark};
use crate::program::ProcessTree;
use crate::recorder::Recorder;
use crate::resources::Meter;
use crate::session::{Session, check_generation, problem};
use crate::workspace::Host;
use crate::{ServerConfig, driver, http};

/// What a restart of the program may take beyond its start and its end.
const RESTART_MARGIN: Duration = Duration::from_secs(10);

/// An agent server. Clones are the same server. It must be used within a tokio runtime.
#[derive(Clone)]
pub struct AgentServer {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    config: Arc<ServerConfig>,
    log: Arc<EventLog>,
    instance: String,
    state: Mutex<State>,
    /// Cancelled when the server begins to end: nothing new begins.
    closing: CancellationToken,
    /// Cancelled when nothing will happen any more: event streams end when they have given what is there.
    ended: CancellationToken,
    starts: TaskTracker,
    /// Made with the first configuration, since it takes a runtime.
    tree: OnceLock<Arc<ProcessTree>>,
    meter: Meter,
    /// Made when it is first needed.
    workspace: OnceLock<Arc<Host>>,
}

#[derive(Default)]
struct State {
    configuring: Option<Configuring>,
    session: Option<Arc<Session>>,
}

/// A configuration that was taken, and what came of it; nothing while the agent starts.
struct Configuring {
    session: String,
    generation: u32,
    outcome: watch::Receiver<Option<Result<Configured, Problem>>>,
}

impl AgentServer {
    /// Makes a server that waits for `POST /configure`.
    pub fn new(config: ServerConfig) -> Self {
        let shared = Shared {
            log: Arc::new(EventLog::new(config.replay.clone())),
            meter: Meter::new(config.measured, config.workspace.clone()),
            config: Arc::new(config),
            instance: uuid::Uuid::new_v4().to_string(),
            state: Mutex::default(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
            starts: TaskTracker::new(),
            tree: OnceLock::new(),
            workspace: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The routes of the server, to be served by whoever holds it. Any number of routers may serve one server.
    pub fn router(&self) -> Router {
        http::router(self.shared.clone())
    }

    /// Ends the running turn as failed with `session_stopped`, then the agent program (killing it when it takes longer than
    /// [`ServerConfig::stop_timeout`]), then terminals and commands, then all event streams once they have given what is there. Calling it again does
    /// nothing more. Configurations and queries that come later are refused.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        shared.closing.cancel();
        // A start that is under way sees the token, and cleans up after itself.
        shared.starts.close();
        shared.starts.wait().await;
        let session = shared.state().session.clone();
        if let Some(session) = session {
            session.stop().await;
        }
        if let Some(workspace) = shared.workspace.get() {
            workspace.end().await;
        }
        shared.ended.cancel();
    }
}

impl Shared {
    /// Whether `token` is the one that opens this server.
    pub(crate) fn opens(&self, token: &str) -> bool {
        self.config.token_digest.matches(token)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.config.heartbeat
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.state();
        Health {
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            phase: state.phase(),
            generation: state.configuring.as_ref().map(|configuring| configuring.generation),
        }
    }

    pub(crate) fn liveness(&self) -> Liveness {
        let state = self.state();
        let events = self.log.liveness();
        let configuring = state.configuring.as_ref();
        let recorded = state.session.as_ref().map(|session| session.recorder().liveness());
        let (turn, tools, asked) =
            recorded.map(|recorded| (recorded.turn, recorded.tools, recorded.asked)).unwrap_or_default();
        Liveness {
            instance: self.instance.clone(),
            phase: state.phase(),
            generation: configuring.map(|configuring| configuring.generation),
            session: configuring.map(|configuring| configuring.session.clone()),
            configured: state.configured(events.newest),
            turn,
            program: state.session.as_ref().map(|session| session.vitals().program()),
            model: state.session.as_ref().and_then(|session| session.vitals().model()),
            tools,
            asked,
            events,
        }
    }

    /// Takes note of what is in safe keeping.
    pub(crate) fn acknowledge(&self, ack: Ack) -> Result<(), Problem> {
        let generation = self.state().configuring.as_ref().map(|configuring| configuring.generation);
        check_generation(generation.ok_or_else(not_configured)?, ack.generation)?;
        self.log.acknowledge(ack.seq).map_err(|error| problem(codes::CURSOR_IN_FUTURE, error.to_string()))
    }

    /// Has the agent program started again and waits until it is ready. It goes on when the caller goes away.
    pub(crate) async fn restart_program(&self, restart: RestartProgram) -> Result<Configured, Problem> {
        let limit = self.config.start_timeout + self.config.stop_timeout + RESTART_MARGIN;
        self.session()?.restart(restart.generation, limit).await?;
        self.state().configured(self.log.newest()).ok_or_else(not_configured)
    }

    /// Takes a configuration and waits until its agent is ready. The start goes on when the caller goes away: a repeated
    /// call waits for the same start, and gets its answer. After a failed one, any configuration may be tried.
    pub(crate) async fn configure(self: &Arc<Self>, configure: Configure) -> Result<Configured, Problem> {
        let mut outcome = self.take(configure)?;
        let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(broke_off()))
    }

    fn take(
        self: &Arc<Self>,
        configure: Configure,
    ) -> Result<watch::Receiver<Option<Result<Configured, Problem>>>, Problem> {
        let mut state = self.state();
        if self.closing.is_cancelled() {
            return Err(closing());
        }
        if let Some(taken) = &state.configuring
            && !matches!(*taken.outcome.borrow(), Some(Err(_)))
        {
            return if taken.session == configure.session && taken.generation == configure.generation {
                Ok(taken.outcome.clone())
            } else {
                Err(problem(
                    codes::ALREADY_CONFIGURED,
                    "this agent server belongs to another session or generation: use a new container",
                ))
            };
        }
        let (done, outcome) = watch::channel(None);
        state.configuring = Some(Configuring {
            session: configure.session.clone(),
            generation: configure.generation,
            outcome: outcome.clone(),
        });
        let shared = self.clone();
        self.starts.spawn(async move {
            let started = tokio::spawn(async move { shared.start(configure).await }).await;
            done.send_replace(Some(started.unwrap_or_else(|_| Err(broke_off()))));
        });
        Ok(outcome)
    }

    async fn start(&self, configure: Configure) -> Result<Configured, Problem> {
        let generation = configure.generation;
        if configure.acknowledges {
            self.log.keep_until_acknowledged();
        }
        if !configure.files.is_empty() {
            self.seed(&configure.files).await?;
        }
        let recorder = Recorder::new(self.log.clone(), generation);
        let tree = self.tree();
        let start = driver::start(self.config.clone(), tree.clone(), configure, recorder.clone());
        let ready = tokio::select! {
            ready = start => ready?,
            () = self.closing.cancelled() => return Err(closing()),
        };
        let (agent, conversation) = (ready.agent.clone(), ready.conversation.clone());
        let session = Session::new(generation, recorder, ready);
        self.state().session = Some(Arc::new(session));
        Ok(Configured { agent, conversation, last_seq: self.log.newest() })
    }

    /// Writes the files of a configuration, before anything of the agent's runs.
    async fn seed(&self, files: &BTreeMap<String, String>) -> Result<(), Problem> {
        let host = Host::new(&self.config, None, self.tree());
        let seeded = host.seed(files).await;
        host.end().await;
        seeded
    }

    /// The session, once it is configured.
    pub(crate) fn session(&self) -> Result<Arc<Session>, Problem> {
        let session = self.state().session.clone();
        session.ok_or_else(not_configured)
    }

    /// What the container uses now.
    pub(crate) async fn resources(&self) -> Result<ResourceUse, Problem> {
        let measured = self.meter.measure().await;
        measured.map_err(|error| problem(codes::INTERNAL, format!("nothing can be measured: {error}")))
    }

    /// Which of these variables the agent program has.
    pub(crate) fn environment<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<EnvironmentNames, Problem> {
        let session = self.session()?;
        let variables = &session.surroundings().variables;
        Ok(EnvironmentNames {
            present: names.map(|name| (name.to_owned(), variables.contains(name))).collect(),
        })
    }

    /// What does the work beneath the workspace. It is there once the session is.
    pub(crate) fn workspace(&self) -> Result<Arc<Host>, Problem> {
        let session = self.session()?;
        if self.closing.is_cancelled() {
            return Err(closing());
        }
        let home = || session.surroundings().home.clone();
        Ok(self.workspace.get_or_init(|| self.new_host(home())).clone())
    }

    /// The same for one request before there is a session: a repository is there before its agent.
    pub(crate) fn workspace_before(&self) -> Result<Arc<Host>, Problem> {
        if self.closing.is_cancelled() {
            return Err(closing());
        }
        Ok(self.new_host(None))
    }

    fn new_host(&self, home: Option<PathBuf>) -> Arc<Host> {
        Arc::new(Host::new(&self.config, home, self.tree()))
    }

    fn tree(&self) -> &Arc<ProcessTree> {
        self.tree.get_or_init(|| ProcessTree::new(self.config.own_process))
    }

    /// Reads the log after a cursor, to the end of a turn where one is given.
    pub(crate) fn follow(&self, after: u64, until: Option<TurnMark>) -> Result<Follower, CursorError> {
        Follower::new(self.log.clone(), after, until, self.ended.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn phase(&self) -> Phase {
        match self.configuring.as_ref().map(|configuring| configuring.outcome.borrow().clone()) {
            None => Phase::Unconfigured,
            Some(None) => Phase::Starting,
            Some(Some(Ok(_))) if self.has_given_up() => Phase::Failed,
            Some(Some(Ok(_))) => Phase::Ready,
            Some(Some(Err(_))) => Phase::Failed,
        }
    }

    fn has_given_up(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.vitals().problem().is_some())
    }

    /// What a configuration was answered, as it would be now.
    fn configured(&self, last_seq: u64) -> Option<Configured> {
        let configured = self.configuring.as_ref()?.outcome.borrow().clone()?.ok()?;
        let conversation = self.session.as_ref().and_then(|session| session.recorder().conversation());
        Some(Configured { conversation: conversation.or(configured.conversation), last_seq, ..configured })
    }
}

fn not_configured() -> Problem {
    problem(codes::NOT_CONFIGURED, "configure the agent server first")
}

fn closing() -> Problem {
    problem(codes::INTERNAL, "the agent server is ending")
}

fn broke_off() -> Problem {
    problem(codes::INTERNAL, "the start of the agent broke off: try again")
}
