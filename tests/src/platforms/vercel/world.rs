//! Sandboxes, sessions and snapshots, and how they change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use http::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::check::Schemas;
use super::commands::Command;
use super::fault::{Fault, What};
use super::machine::{Engine, Machine};
use super::objects::now;
use super::reply::Refusal;
use super::route::{self, Route};
use super::server::Recorded;
use super::snapshots::Snapshot;

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) schemas: Schemas,
    pub(super) options: Options,
    inner: Mutex<Inner>,
    cut: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) sandboxes: BTreeMap<String, Sandbox>,
    pub(super) sessions: HashMap<String, Arc<Session>>,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    requests: Vec<Recorded>,
    violations: Vec<String>,
    faults: Vec<Fault>,
    number: u64,
}

/// What a sandbox is made with.
#[derive(Debug, Clone)]
pub(super) struct New {
    pub(super) persistent: bool,
    pub(super) image: Option<String>,
    pub(super) region: String,
    pub(super) vcpus: u64,
    /// Milliseconds.
    pub(super) timeout: i64,
    pub(super) network_policy: Option<Value>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) ports: Vec<u64>,
    pub(super) snapshot_expiration: Option<i64>,
}

/// A durable name.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    pub(super) name: String,
    pub(super) new: New,
    pub(super) created_at: i64,
    pub(super) session: Arc<Session>,
    pub(super) current_snapshot: Option<String>,
}

/// One machine of a sandbox.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) sandbox: String,
    pub(super) new: New,
    pub(super) started_at: i64,
    pub(super) source: Option<String>,
    pub(super) commands: Mutex<Vec<Arc<Command>>>,
    machine: OnceLock<Machine>,
    pub(super) routes: OnceLock<Vec<Route>>,
    state: watch::Sender<SessionState>,
    /// Cancelled when the machine ends.
    over: CancellationToken,
}

#[derive(Debug, Clone)]
pub(super) struct SessionState {
    pub(super) status: Status,
    pub(super) expires_at: i64,
    pub(super) updated_at: i64,
    pub(super) network_policy: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Running,
    Stopping,
    Snapshotting,
    Stopped,
    Failed,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Snapshotting => "snapshotting",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

impl Session {
    pub(super) fn state(&self) -> SessionState {
        self.state.borrow().clone()
    }

    pub(super) fn go(&self, status: Status) {
        self.state.send_modify(|state| {
            state.status = status;
            state.updated_at = now();
        });
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SessionState)) {
        self.state.send_modify(change);
    }

    /// Waits for a state.
    pub(super) async fn until(&self, fine: impl Fn(Status) -> bool) -> Status {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| fine(state.status)).await {
            Ok(state) => state.status,
            Err(_) => Status::Failed,
        }
    }

    /// Its machine, unless it stands still or is about to.
    pub(super) fn running(&self) -> Result<&Machine, Refusal> {
        match self.state().status {
            Status::Running => {
                self.machine.get().ok_or_else(|| Refusal::new(500, "internal_server_error", "no machine"))
            }
            Status::Pending => Err(Refusal::new(422, "sandbox_not_running", "Sandbox is not running yet")),
            Status::Stopping => Err(Refusal::new(422, "sandbox_stopping", "Sandbox is stopping")),
            Status::Snapshotting => {
                Err(Refusal::new(422, "sandbox_snapshotting", "Sandbox is being snapshotted"))
            }
            Status::Stopped | Status::Failed => {
                Err(Refusal::new(410, "sandbox_stopped", "Sandbox is stopped"))
            }
        }
    }

    pub(super) fn commands(&self) -> MutexGuard<'_, Vec<Arc<Command>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    pub(super) async fn new(options: Options) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            engine: if options.docker { Engine::docker().await? } else { Engine::Tasks },
            schemas: Schemas::read()?,
            options,
            inner: Mutex::default(),
            cut: watch::Sender::new(0),
        }))
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that nothing else has.
    pub(super) fn id(&self, kind: &str) -> String {
        let mut inner = self.inner();
        inner.number += 1;
        format!("{kind}_{:06}", inner.number)
    }

    pub(super) fn record(&self, request: Recorded) {
        self.inner().requests.push(request);
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.inner().requests.clone()
    }

    pub(super) fn violation(&self, what: String) {
        self.inner().violations.push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    pub(super) fn inject(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    /// What goes wrong with this call.
    pub(super) fn fault(&self, method: &Method, path: &str) -> Option<What> {
        let mut inner = self.inner();
        let fault = inner.faults.iter_mut().find(|fault| fault.fits(method, path))?;
        fault.times -= 1;
        Some(fault.what.clone())
    }

    pub(super) fn cut_streams(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    pub(super) fn session(&self, id: &str) -> Result<Arc<Session>, Refusal> {
        self.inner().sessions.get(id).cloned().ok_or_else(|| Refusal::not_found("Session"))
    }

    pub(super) fn sandbox(&self, name: &str) -> Result<Sandbox, Refusal> {
        self.inner().sandboxes.get(name).cloned().ok_or_else(|| Refusal::not_found("Sandbox"))
    }

    /// A session that does not run yet, known by its id.
    pub(super) fn pending(&self, sandbox: &str, new: &New, source: Option<String>) -> Arc<Session> {
        let id = self.id("sbx");
        let started_at = now();
        let session = Arc::new(Session {
            id: id.clone(),
            sandbox: sandbox.to_owned(),
            new: new.clone(),
            started_at,
            source,
            commands: Mutex::default(),
            machine: OnceLock::new(),
            routes: OnceLock::new(),
            state: watch::Sender::new(SessionState {
                status: Status::Pending,
                expires_at: started_at + new.timeout,
                updated_at: started_at,
                network_policy: new.network_policy.clone(),
            }),
            over: CancellationToken::new(),
        });
        self.inner().sessions.insert(id, Arc::clone(&session));
        session
    }

    /// Brings a pending session up.
    pub(super) async fn boot(self: &Arc<Self>, session: &Arc<Session>, image: &str) -> anyhow::Result<()> {
        let up = async {
            let machine = self.engine.boot(image, session.new.vcpus).await?;
            let _ = session.machine.set(machine.clone());
            let mut routes = Vec::new();
            for port in &session.new.ports {
                let over = session.over.clone();
                routes.push(route::open(*port, machine.at(*port), over, self.cut.subscribe()).await?);
            }
            let _ = session.routes.set(routes);
            anyhow::Ok(machine)
        };
        let machine = match up.await {
            Ok(machine) => machine,
            Err(error) => {
                session.over.cancel();
                session.go(Status::Failed);
                return Err(error);
            }
        };
        let mut ended = false;
        session.change(|state| match state.status {
            Status::Pending => state.status = Status::Running,
            // It was removed meanwhile.
            _ => ended = true,
        });
        if ended {
            session.over.cancel();
            return self.engine.end(&machine).await;
        }
        let (world, session) = (Arc::clone(self), Arc::clone(session));
        tokio::spawn(async move { world.end_in_time(&session).await });
        Ok(())
    }

    /// Ends a session when its time is over.
    async fn end_in_time(self: &Arc<Self>, session: &Arc<Session>) {
        let mut changes = session.state.subscribe();
        loop {
            let left = changes.borrow_and_update().expires_at - now();
            let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
            match timeout(left, session.over.run_until_cancelled(changes.changed())).await {
                Err(_) => break,
                Ok(None) => return,
                // It was extended, or is ending already.
                Ok(Some(_)) => {}
            }
        }
        self.begin_end(session);
    }

    /// Begins to end a session that runs; a persistent sandbox's files are saved.
    pub(super) fn begin_end(self: &Arc<Self>, session: &Arc<Session>) {
        let mut begins = false;
        session.change(|state| {
            begins = state.status == Status::Running;
            if begins {
                state.status = Status::Stopping;
                state.updated_at = now();
            }
        });
        if !begins {
            return;
        }
        let (world, session) = (Arc::clone(self), Arc::clone(session));
        tokio::spawn(async move {
            let persistent = world.sandbox(&session.sandbox).is_ok_and(|sandbox| sandbox.new.persistent);
            let saved = if persistent {
                session.go(Status::Snapshotting);
                world.save(&session, true).await.map(|_| ())
            } else {
                Ok(())
            };
            match saved.and(world.finish(&session).await) {
                Ok(()) => session.go(Status::Stopped),
                Err(error) => {
                    world.violation(format!("the fake could not end {}: {error:#}", session.id));
                    session.go(Status::Failed);
                }
            }
        });
    }

    /// Takes a session's machine away.
    pub(super) async fn finish(&self, session: &Session) -> anyhow::Result<()> {
        session.over.cancel();
        match session.machine.get() {
            Some(machine) => self.engine.end(machine).await,
            None => Ok(()),
        }
    }

    /// Saves a session's files.
    pub(super) async fn save(&self, session: &Session, automatic: bool) -> anyhow::Result<Snapshot> {
        let machine = session.machine.get().context("a session without a machine")?;
        let image = self.engine.save(machine).await?;
        let expiration = session.new.snapshot_expiration.filter(|expiration| *expiration > 0);
        let snapshot = Snapshot {
            id: self.id("snap"),
            image,
            sandbox: session.sandbox.clone(),
            session: session.id.clone(),
            region: session.new.region.clone(),
            created_at: now(),
            expires_at: expiration.map(|expiration| now() + expiration),
            automatic,
            deleted: false,
        };
        let mut inner = self.inner();
        inner.snapshots.insert(snapshot.id.clone(), snapshot.clone());
        if let Some(sandbox) = inner.sandboxes.get_mut(&session.sandbox) {
            sandbox.current_snapshot = Some(snapshot.id.clone());
        }
        Ok(snapshot)
    }

    pub(super) async fn expire(self: &Arc<Self>, name: &str) -> anyhow::Result<()> {
        let sandbox = self.sandbox(name).map_err(|refusal| anyhow::anyhow!("{}", refusal.message))?;
        self.begin_end(&sandbox.session);
        sandbox.session.until(Status::is_final).await;
        Ok(())
    }

    pub(super) async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        let mut left: Vec<_> = self.inner().sandboxes.keys().cloned().collect();
        left.extend(self.engine.left().await?);
        Ok(left)
    }

    pub(super) fn snapshots(&self) -> Vec<String> {
        let inner = self.inner();
        inner
            .snapshots
            .values()
            .filter(|snapshot| !snapshot.deleted)
            .map(|snapshot| snapshot.id.clone())
            .collect()
    }

    /// How many sessions run or are about to.
    pub(super) fn active(&self) -> usize {
        let inner = self.inner();
        let active = |sandbox: &&Sandbox| !sandbox.session.state().status.is_final();
        inner.sandboxes.values().filter(active).count()
    }
}
