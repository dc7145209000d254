//! When nobody needs a session.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::policy::limit;
use super::{IdleAction, Session, Sessions, Status};

/// How long sessions live, unless their configuration says something else. Idle means that no turn runs or waits and no
/// request acted; looking at a session is not acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePolicy {
    /// After so long without need, `action` is taken; never when absent.
    pub idle_timeout: Option<Duration>,
    /// What is done to an idle session.
    pub action: IdleAction,
    /// Remove a session that is so old, whatever it is doing; never when absent.
    pub max_lifetime: Option<Duration>,
    /// How often to look.
    pub interval: Duration,
    /// How long a container may be there that nobody owns.
    pub orphan_grace: Duration,
}

impl Default for IdlePolicy {
    /// Removed after half an hour of idleness, at any age, with a look every minute and a minute's grace.
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(1800)),
            action: IdleAction::Remove,
            max_lifetime: None,
            interval: Duration::from_secs(60),
            orphan_grace: Duration::from_secs(60),
        }
    }
}

/// What shall be done to a session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Remove(&'static str),
    Rest(IdleAction),
}

impl IdlePolicy {
    fn verdict(&self, session: &Session, now: Timestamp) -> Option<Verdict> {
        let older = |since: Timestamp, limit: Option<Duration>| {
            limit.is_some_and(|limit| now.duration_since(since).unsigned_abs() >= limit && now > since)
        };
        let own = &session.policy;
        let (status, has_container) = {
            let state = session.state.borrow();
            (state.status.clone(), state.container.is_some())
        };
        // What could not be removed before is tried again.
        let is_left = session.disposable && matches!(status, Status::Failed { .. });
        if status == Status::Stopping || is_left {
            return Some(Verdict::Remove("its removal was not finished"));
        }
        if older(session.created_at, limit(own.max_lifetime, self.max_lifetime)) {
            return Some(Verdict::Remove("it reached its longest lifetime"));
        }
        if !session.is_idle() || !older(session.last_active(), limit(own.idle_timeout, self.idle_timeout)) {
            return None;
        }
        match own.idle_action.unwrap_or(self.action) {
            IdleAction::Remove => Some(Verdict::Remove("it was idle for too long")),
            action => match status {
                Status::Running => Some(Verdict::Rest(action)),
                // Nobody came to restart it: its container need not wait any longer.
                Status::Failed { .. } if has_container => Some(Verdict::Rest(IdleAction::Stop)),
                _ => None,
            },
        }
    }
}

impl Sessions {
    /// Does what the policy says, once, to every session. What cannot be done now is tried again the next time.
    pub async fn sweep(&self, policy: &IdlePolicy) {
        let now = Timestamp::now();
        for session in self.list() {
            let done = match policy.verdict(&session, now) {
                None => continue,
                Some(Verdict::Remove(reason)) => {
                    tracing::info!(session = %session.id, reason, "removing a session");
                    self.remove(&session.id).await
                }
                Some(Verdict::Rest(action)) => {
                    tracing::info!(session = %session.id, ?action, "putting an idle session to rest");
                    let resting = Arc::clone(&session);
                    let rested = tokio::spawn(async move { resting.rest(action).await });
                    rested.await.map_or(Ok(()), |rested| rested)
                }
            };
            if let Err(error) = done {
                tracing::warn!(session = %session.id, %error, "an idle session could not be dealt with");
            }
        }
    }

    /// Drops events that are no longer kept, of every session. What cannot be dropped now is the next time.
    pub async fn drop_old_events(&self) {
        for session in self.list() {
            if let Err(error) = self.journal().trim(&session.id).await {
                tracing::warn!(session = %session.id, %error, "old events could not be dropped yet");
                return;
            }
        }
    }

    /// Sweeps sessions, their events and orphans until the application shuts down.
    pub async fn sweep_forever(&self, policy: IdlePolicy) {
        let mut ticks = tokio::time::interval(policy.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutting_down() => return,
                _ = ticks.tick() => self.sweep(&policy).await,
            }
            self.drop_old_events().await;
            match self.destroy_orphans(policy.orphan_grace).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed containers that nobody owned"),
                Err(error) => tracing::warn!(%error, "containers that nobody owns could not be removed"),
            }
        }
    }
}
