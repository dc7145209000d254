//! Restarting, putting to sleep, waking.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use agcluster_protocol::{EventBody, FailureReason};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::Instrument;

use super::bring_up::{attach, bring_up, client, destroy_all, detach};
use super::session_handle::Along;
use super::{IdleAction, LaunchTimings, Result, Session, SessionError, Status, Waking, pump};
use crate::journal::{Entry, Patience};
use crate::provider::{ContainerState, DestroyOptions, ErrorKind};

const KEEP_WORKSPACE: DestroyOptions = DestroyOptions { keep_workspace: true };

impl Session {
    /// Makes a new container of the next generation on the same workspace and lets the agent go on with its conversation.
    /// A running turn ends as failed. Answers when the agent takes turns.
    ///
    /// # Errors
    /// [`SessionError::CredentialsRequired`] when secrets are needed that only the owner has: bring them and call again.
    /// [`SessionError::Journal`] when the store does not work; if that only turns out now, it is restarted when it does.
    /// After any other error the session is `failed`, its workspace is kept, and it can be restarted again.
    pub async fn restart(self: &Arc<Self>) -> Result<()> {
        self.touch();
        if let Some(missing) = self.missing_credentials() {
            return Err(SessionError::CredentialsRequired(missing));
        }
        let session = Arc::clone(self);
        let span = tracing::info_span!("restart", session = session.id.as_str());
        let restarting = async move {
            let _lifecycle = session.lifecycle.lock().await;
            session.next_generation("the session was restarted").await
        };
        self.in_a_task(restarting.instrument(span).boxed()).await
    }

    /// Does something to the container in a task of its own: a caller who leaves, or does not wait for a store that stopped
    /// working meanwhile, does not leave half of it behind.
    async fn in_a_task(&self, doing: BoxFuture<'static, Result<()>>) -> Result<()> {
        let done = self.journal.while_it_works(async { tokio::spawn(doing).await });
        done.await?.map_err(|_| SessionError::Removed)?
    }

    /// Makes a session that is paused or sleeping take turns again; one that does so already is left alone.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub(super) async fn wake(self: &Arc<Self>) -> Result<()> {
        let asleep =
            |session: &Self| matches!(session.state.borrow().status, Status::Paused | Status::Sleeping);
        if !asleep(self) {
            return Ok(());
        }
        let session = Arc::clone(self);
        let waking = async move {
            let _lifecycle = session.lifecycle.lock().await;
            // Somebody else may have woken it meanwhile.
            if !asleep(&session) {
                return Ok(());
            }
            if session.state.borrow().status == Status::Paused {
                return session.thaw().await;
            }
            if let Some(missing) = session.missing_credentials() {
                return Err(SessionError::CredentialsRequired(missing));
            }
            session.next_generation("the session was asleep").await
        };
        self.in_a_task(waking.in_current_span().boxed()).await
    }

    /// Starts a failed session anew; one that somebody else has started meanwhile is left alone.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub(super) async fn revive(self: &Arc<Self>) -> Result<()> {
        let session = Arc::clone(self);
        let reviving = async move {
            let _lifecycle = session.lifecycle.lock().await;
            if !matches!(session.state.borrow().status, Status::Failed { .. }) {
                return Ok(());
            }
            if let Some(missing) = session.missing_credentials() {
                return Err(SessionError::CredentialsRequired(missing));
            }
            session.next_generation("the session had failed").await
        };
        self.in_a_task(reviving.in_current_span().boxed()).await
    }

    /// What it would take to wake a session of this status, if it rests.
    pub(super) fn waking(&self, status: &Status, timings: Option<LaunchTimings>) -> Option<Waking> {
        let (keeps_memory, last_us) = match status {
            Status::Paused => {
                (true, Some(self.thawed_us.load(Ordering::Relaxed)).filter(|thawed| *thawed > 0))
            }
            Status::Sleeping => (false, timings.map(|timings| timings.ready_us)),
            _ => return None,
        };
        Some(Waking { keeps_memory, last_us })
    }

    /// Goes on with a paused session, whatever its container does.
    pub(super) async fn thaw(self: &Arc<Self>) -> Result<()> {
        let begun = Instant::now();
        let provider = self.provider()?;
        let (container, generation) = {
            let state = self.state.borrow();
            (state.container.clone(), state.generation)
        };
        let id = container.ok_or_else(|| SessionError::Unreachable(pump::GONE.to_owned()))?;
        let found = provider.inspect(&id).await;
        let lost = match &found {
            Ok(container) => pump::end_of(container),
            Err(error) => (error.kind() == ErrorKind::NotFound).then(|| pump::GONE.to_owned()),
        };
        if let Some(reason) = lost {
            pump::fail_with(self, FailureReason::ContainerLost, reason).await?;
            return Err(self.state.borrow().not_running());
        }
        let mut container = found?;
        if container.state == ContainerState::Paused {
            container = provider.resume(&id).await?;
        }
        let client = client(self, provider.as_ref(), &container.id, generation).await?;
        let took = begun.elapsed();
        self.thawed_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let woken = format!("it was thawed in {} ms, as it had been", took.as_millis());
        // Whatever may fail comes before: what is said to run is listened to.
        let cursor = self.cursor().await?;
        self.announce(Status::Running, Some(&woken)).await?;
        attach(self, &container, client, cursor);
        Ok(())
    }

    /// The agent server's number of the newest event in the journal.
    pub(super) async fn cursor(&self) -> Result<u64> {
        let generation = self.state.borrow().generation;
        let newest = self.journal.store().extent(&self.id).await?.source;
        Ok(newest.filter(|(of, _)| *of == generation).map_or(0, |(_, seq)| seq))
    }

    async fn next_generation(self: &Arc<Self>, why: &str) -> Result<()> {
        {
            let _carrier = detach(self).await;
            self.change(Patience::Endless, |state| {
                let mut along = self.abandon(state, FailureReason::SessionStopped, why);
                // A launch that was cut off and waits for its owner is starting already.
                if state.status != Status::Starting {
                    state.go(Status::Starting)?;
                }
                let body = changed(&Status::Starting, Some(why));
                state.generation += 1;
                state.instance = None;
                along.entries.push(Entry::own(state.generation, None, body));
                Ok(along)
            })
            .await?;
        }
        let cancelled = self.cancel.clone();
        match cancelled.run_until_cancelled(self.replace_container()).await {
            None => Err(SessionError::Removed),
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                pump::fail_with(self, FailureReason::Other, format!("it could not be restarted: {error}"))
                    .await?;
                Err(error)
            }
        }
    }

    pub(super) async fn replace_container(self: &Arc<Self>) -> Result<()> {
        destroy_all(self, KEEP_WORKSPACE).await?;
        let warnings = self.info().warnings;
        bring_up(self, warnings).await
    }

    /// Freezes an idle session, or stops its container, if it is still idle. Of one that has failed, the container goes.
    pub(super) async fn rest(self: &Arc<Self>, action: IdleAction) -> Result<()> {
        let _lifecycle = self.lifecycle.lock().await;
        if matches!(self.state.borrow().status, Status::Failed { .. }) {
            return self.clear_away().await;
        }
        if !self.is_running() || !self.is_idle() {
            return Ok(());
        }
        let provider = self.provider()?;
        let freezes = provider.info().capabilities.pause.is_some_and(|pause| pause.keeps_memory);
        let Some(id) = self.state.borrow().container.clone() else { return Ok(()) };
        let pause = action == IdleAction::Pause && freezes;
        // Written down first: a frozen container that is held to be running would look lost.
        let status = if pause { Status::Paused } else { Status::Sleeping };
        self.change(Patience::Endless, |state| {
            if state.turn.is_some() || self.is_acted_in() {
                return Err(SessionError::Busy { turn: state.turn });
            }
            let body = changed(&status, Some("it was idle"));
            state.go(status)?;
            Ok(Along::entry(Entry::own(state.generation, None, body)))
        })
        .await?;
        let carrier = detach(self).await;
        if !pause {
            // What is left of it now is removed with what nobody owns.
            return Ok(provider.destroy(&id, KEEP_WORKSPACE).await?);
        }
        let paused = provider.pause(&id).await;
        drop(carrier);
        if paused.is_err() {
            // It may run on, so it is not said to rest.
            self.thaw().await?;
        }
        Ok(paused?)
    }

    /// Removes what is left of a failed session's container.
    async fn clear_away(&self) -> Result<()> {
        destroy_all(self, KEEP_WORKSPACE).await?;
        let cleared = self.change(Patience::Endless, |state| {
            state.container = None;
            Ok(Along::default())
        });
        cleared.await
    }

    pub(super) async fn announce(&self, status: Status, reason: Option<&str>) -> Result<()> {
        self.change(Patience::Endless, |state| {
            let body = changed(&status, reason);
            state.go(status)?;
            Ok(Along::entry(Entry::own(state.generation, None, body)))
        })
        .await
    }
}

/// The event that says that a session is in another state.
pub(super) fn changed(status: &Status, reason: Option<&str>) -> EventBody {
    EventBody::SessionChanged { status: status.as_str().to_owned(), reason: reason.map(str::to_owned) }
}
