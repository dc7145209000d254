//! After a start: finding again what an earlier run left, finishing what it had begun, and removing what nobody owns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agcluster_protocol::FailureReason;
use futures::StreamExt;
use tokio::time::{Instant, sleep};

use super::bring_up::{attach, bring_up, client, destroy_all};
use super::placement::Placement;
use super::{Result, Session, SessionError, SessionId, Sessions, Status, pump};
use crate::journal::Patience;
use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerState, DestroyOptions, ListFilter,
};
use crate::store::{Change, TurnState};

/// How many sessions are adopted at a time on one provider.
const ADOPTIONS: usize = 32;
/// Pauses between tries to ask a platform what it has.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const KEEP_WORKSPACE: DestroyOptions = DestroyOptions { keep_workspace: true };

/// How far the adoption of an earlier run's sessions is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Sessions that were found in the store.
    pub found: usize,
    /// Those of them of which it is known by now what is true.
    pub settled: usize,
}

/// Since when containers have been seen that nobody owns.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    seen: Mutex<HashMap<(String, ContainerId), Instant>>,
}

impl Sessions {
    /// Knows again all sessions that the store has. Fast, and no platform is asked: that is done by
    /// [`adopt`](Self::adopt), which is to follow. Meant to be called once, before the first launch.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn recover(&self) -> Result<Progress> {
        let store = self.inner.journal.store();
        let records = store.sessions().await?;
        for record in records {
            let placement = Placement::recovered(&self.inner.providers, &record.provider, &record.candidates);
            let session = self.session(record, placement);
            self.sessions_mut(|sessions| sessions.insert(session.id.clone(), session));
        }
        let mut lost = Vec::new();
        for turn in store.open_turns().await? {
            let Some(session) = self.get(&turn.session) else { continue };
            let is_current = session.state.borrow().turn == Some(turn.id);
            session.turns(|turns| match turn.state {
                TurnState::Queued => turns.queued.push_back(turn),
                _ if is_current => turns.current = Some(turn),
                _ => lost.push(turn),
            });
        }
        let progress = Progress { found: self.list().len(), settled: 0 };
        self.inner.progress.send_replace(progress);
        // Promised, but refused before it began; the answer came, its end was not written down.
        let ends = lost.into_iter().map(super::turns::never_begun);
        self.inner.journal.commit(ends.collect(), Patience::Short).await?;
        Ok(progress)
    }

    /// How far [`adopt`](Self::adopt) is.
    pub fn progress(&self) -> tokio::sync::watch::Receiver<Progress> {
        self.inner.progress.subscribe()
    }

    /// Finds out what is true of every recovered session: adopts what lives and reads on where the journal ends, finishes
    /// launches, restarts and removals that were cut off, and says `failed` of what is gone. Ends when all is settled; a
    /// platform that does not answer is asked again and again.
    pub async fn adopt(&self) {
        let mut by_provider: HashMap<String, Vec<Arc<Session>>> = HashMap::new();
        for session in self.list() {
            by_provider.entry(session.placement.name()).or_default().push(session);
        }
        let adoptions = by_provider.into_iter().map(|(name, sessions)| self.adopt_on(name, sessions));
        futures::future::join_all(adoptions).await;
    }

    async fn adopt_on(&self, name: String, sessions: Vec<Arc<Session>>) {
        let Ok(provider) = self.inner.providers.get(&name) else {
            tracing::error!(
                provider = name,
                count = sessions.len(),
                "sessions are on a provider that is not configured"
            );
            return;
        };
        let Some(mut containers) = self.containers(&name, provider.as_ref()).await else { return };
        let adoptions = sessions.into_iter().map(|session| {
            let own = containers.remove(session.id.as_str()).unwrap_or_default();
            async move {
                if let Err(error) = self.settle(&session, own).await {
                    tracing::warn!(session = %session.id, %error, "a session could not be adopted");
                }
                self.inner.progress.send_modify(|progress| progress.settled += 1);
            }
        });
        futures::stream::iter(adoptions).buffer_unordered(ADOPTIONS).collect::<()>().await;
    }

    /// What a platform has of this cluster, by session; nothing when the application ends first.
    async fn containers(
        &self,
        name: &str,
        provider: &dyn ContainerProvider,
    ) -> Option<HashMap<String, Vec<Container>>> {
        let mut pause = FIRST_PAUSE;
        loop {
            match provider.list(ListFilter::cluster(&*self.inner.cluster.name)).await {
                Ok(containers) => {
                    let mut by_session: HashMap<String, Vec<Container>> = HashMap::new();
                    for container in containers {
                        by_session.entry(container.labels.session.clone()).or_default().push(container);
                    }
                    return Some(by_session);
                }
                Err(error) => {
                    tracing::warn!(provider = name, %error, "a platform does not say what it has; asking again");
                    self.inner.shutdown.run_until_cancelled(sleep(pause)).await?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Finds out what is true of one session, given what its platform has of it.
    async fn settle(&self, session: &Arc<Session>, containers: Vec<Container>) -> Result<()> {
        let status = session.state.borrow().status.clone();
        match status {
            Status::Stopped => {
                self.sessions_mut(|sessions| sessions.remove(&session.id));
                let gone = vec![Change::RemoveSession(session.id.clone())];
                Ok(self.inner.journal.commit(gone, Patience::Endless).await?)
            }
            // Whoever waited for its answer is gone.
            _ if session.disposable => self.remove_now_or_later(session).await,
            Status::Starting => {
                tokio::spawn(finish_start(self.clone(), Arc::clone(session)));
                Ok(())
            }
            Status::Running => {
                if let Err(error) = adopt_running(session, containers).await {
                    tracing::warn!(session = %session.id, %error, "a session could not be adopted yet");
                    tokio::spawn(adopt_later(self.clone(), Arc::clone(session)));
                }
                Ok(())
            }
            Status::Paused => settle_paused(session, containers).await,
            Status::Sleeping => {
                let _lifecycle = session.lifecycle.lock().await;
                let left = containers.iter().any(|container| container.state != ContainerState::Remains);
                if left && session.state.borrow().status == Status::Sleeping {
                    destroy_all(session, KEEP_WORKSPACE).await?;
                }
                Ok(())
            }
            Status::Stopping => self.remove(&session.id).await,
            Status::Failed { .. } => Ok(()),
        }
    }

    /// Removes containers of this cluster that belong to no session known here, or to one that sleeps, and those of
    /// generations that are past, once they have been seen for `grace`. Gives how many.
    ///
    /// # Errors
    /// The first provider's that failed; the others have been swept all the same.
    pub async fn destroy_orphans(&self, grace: Duration) -> Result<usize> {
        let mut destroyed = 0;
        let mut first_error = None;
        let mut present = HashMap::new();
        for (name, provider) in self.inner.providers.iter() {
            match self.orphans_of(name, provider.as_ref()).await {
                Ok(orphans) => {
                    for (id, options) in orphans {
                        let key = (name.to_owned(), id.clone());
                        let since = self.inner.orphans.since(&key);
                        present.insert(key, since);
                        if since.elapsed() < grace {
                            continue;
                        }
                        match provider.destroy(&id, options).await {
                            Ok(()) => destroyed += 1,
                            Err(error) => first_error = first_error.or(Some(error)),
                        }
                    }
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        *self.inner.orphans.seen.lock().unwrap_or_else(PoisonError::into_inner) = present;
        first_error.map_or(Ok(destroyed), |error| Err(error.into()))
    }

    async fn orphans_of(
        &self,
        name: &str,
        provider: &dyn ContainerProvider,
    ) -> crate::provider::Result<Vec<(ContainerId, DestroyOptions)>> {
        let containers = provider.list(ListFilter::cluster(&*self.inner.cluster.name)).await?;
        let orphan = |container: Container| {
            let session = self.get(&SessionId::from_text(&*container.labels.session));
            let Some(session) = session.filter(|session| session.placement.name() == name) else {
                return Some((container.id, DestroyOptions::default()));
            };
            let over = {
                let state = session.state.borrow();
                // One that sleeps has none: what could not be removed when it fell asleep is removed now.
                container.labels.generation < state.generation || state.status == Status::Sleeping
            };
            let stale = over && container.state != ContainerState::Remains;
            stale.then_some((container.id, KEEP_WORKSPACE))
        };
        Ok(containers.into_iter().filter_map(orphan).collect())
    }
}

impl Orphans {
    fn since(&self, key: &(String, ContainerId)) -> Instant {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(key).copied().unwrap_or_else(Instant::now)
    }
}

/// The container of the session's present generation.
fn own(session: &Session, containers: &[Container]) -> Option<Container> {
    let generation = session.state.borrow().generation;
    let live = |container: &&Container| {
        container.labels.generation == generation && container.state != ContainerState::Remains
    };
    containers.iter().find(live).cloned()
}

async fn adopt_running(session: &Arc<Session>, containers: Vec<Container>) -> Result<()> {
    let _lifecycle = session.lifecycle.lock().await;
    // Restarted or removed before its turn came.
    if !session.is_running() || session.client.borrow().is_some() {
        return Ok(());
    }
    let Some(mut container) = own(session, &containers) else {
        return pump::fail_with(session, FailureReason::ContainerLost, pump::GONE.to_owned()).await;
    };
    if let Some(reason) = pump::end_of(&container) {
        return pump::fail_with(session, FailureReason::ContainerLost, reason).await;
    }
    let provider = session.provider()?;
    if container.state == ContainerState::Paused {
        container = provider.resume(&container.id).await?;
    }
    let client = client(session, provider.as_ref(), &container.id, container.labels.generation).await?;
    let cursor = session.cursor().await?;
    attach(session, &container, client, cursor);
    let sent = session.turns(|turns| {
        let current = turns.current.as_ref().filter(|current| current.state == TurnState::Sent);
        current.map(|current| current.id)
    });
    match sent {
        // Whether the agent server has it is not known; it takes it once.
        Some(turn) => drop(tokio::spawn(Arc::clone(session).deliver_later(turn))),
        None => session.start_next().await,
    }
    Ok(())
}

/// Adopts a session again and again, until it can be reached or has not been for too long: its container may have been cut off
/// from its network for a moment only.
async fn adopt_later(sessions: Sessions, session: Arc<Session>) {
    let (mut unreachable, mut pause) = (None, FIRST_PAUSE);
    loop {
        if sessions.inner.shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        let Ok(provider) = session.provider() else { return };
        let name = sessions.inner.cluster.name.clone();
        let filter = ListFilter { cluster: Some(name), session: Some(session.id.to_string()) };
        // Neither a platform that does not answer nor a store that does not work says that anything is lost.
        let Ok(own) = provider.list(filter).await else {
            unreachable = None;
            continue;
        };
        let error = match adopt_running(&session, own).await {
            Ok(()) => return,
            Err(SessionError::Journal(_)) => {
                unreachable = None;
                continue;
            }
            Err(error) => error,
        };
        if unreachable.get_or_insert_with(Instant::now).elapsed() > pump::UNREACHABLE {
            tracing::warn!(session = %session.id, %error, "a session could not be adopted");
            let reason = format!("its agent server could not be reached after a restart: {error}");
            if let Err(error) = lose(&session, reason).await {
                tracing::error!(session = %session.id, %error, "a lost session could not be written down");
            }
            return;
        }
    }
}

/// Says that a session's agent server is lost, unless somebody restarted or removed it meanwhile.
async fn lose(session: &Session, reason: String) -> Result<()> {
    let _lifecycle = session.lifecycle.lock().await;
    if session.is_running() && session.client.borrow().is_none() {
        pump::fail_with(session, FailureReason::AgentServerLost, reason).await?;
    }
    Ok(())
}

async fn settle_paused(session: &Arc<Session>, containers: Vec<Container>) -> Result<()> {
    let _lifecycle = session.lifecycle.lock().await;
    // Woken or removed before its turn came.
    if session.state.borrow().status != Status::Paused {
        return Ok(());
    }
    let own = own(session, &containers);
    if let Some(reason) = own.as_ref().map_or_else(|| Some(pump::GONE.to_owned()), pump::end_of) {
        return pump::fail_with(session, FailureReason::ContainerLost, reason).await;
    }
    match own {
        // It was written down, and cut off before it was done.
        Some(container) if container.state == ContainerState::Running => {
            let paused = session.provider()?.pause(&container.id).await;
            if paused.is_err() {
                // It runs on, so it is not said to rest.
                session.thaw().await?;
            }
            Ok(paused?)
        }
        _ => Ok(()),
    }
}

/// Goes on with a launch or a restart that was cut off, as soon as everything is there that it takes.
async fn finish_start(sessions: Sessions, session: Arc<Session>) {
    let mut credentials = session.credentials.subscribe();
    loop {
        credentials.borrow_and_update();
        // Also while what could not be finished is cleared away: nobody may have restarted it meanwhile.
        let lifecycle = session.lifecycle.lock().await;
        if session.state.borrow().status != Status::Starting {
            return;
        }
        let start = async {
            if session.state.borrow().generation > super::bring_up::FIRST_GENERATION {
                session.replace_container().await
            } else {
                bring_up(&session, session.info().warnings).await
            }
        };
        match session.cancel.run_until_cancelled(start).await {
            None | Some(Ok(())) => return,
            Some(Err(SessionError::CredentialsRequired(missing))) => {
                drop(lifecycle);
                tracing::info!(session = %session.id, missing, "a launch that was cut off waits for its owner");
                if session
                    .cancel
                    .run_until_cancelled(credentials.changed())
                    .await
                    .is_none_or(|news| news.is_err())
                {
                    return;
                }
            }
            Some(Err(error)) => {
                let reason = format!("its launch was cut off and could not be finished: {error}");
                tracing::warn!(session = %session.id, %error, "a launch that was cut off could not be finished");
                if let Err(error) = pump::fail_with(&session, FailureReason::Other, reason).await {
                    tracing::error!(session = %session.id, %error, "a failed session could not be written down");
                }
                if let Err(error) = destroy_all(&session, KEEP_WORKSPACE).await {
                    tracing::warn!(session = %session.id, %error, "a failed launch could not be cleaned up yet");
                }
                drop(sessions);
                return;
            }
        }
    }
}
