//! When a session is removed because nobody needs it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Session, Sessions};

/// How long sessions live. Idle means that no turn runs and no request acted; looking at a session is not acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePolicy {
    /// Remove a session that has been idle for so long; never when absent.
    pub idle_timeout: Option<Duration>,
    /// Remove a session that is so old, whatever it is doing; never when absent.
    pub max_lifetime: Option<Duration>,
    /// How often to look.
    pub interval: Duration,
}

impl Default for IdlePolicy {
    /// Half an hour idle, any age, a look every minute.
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(1800)),
            max_lifetime: None,
            interval: Duration::from_secs(60),
        }
    }
}

impl IdlePolicy {
    /// Why a session should go now.
    fn verdict(&self, session: &Session, now: Timestamp) -> Option<&'static str> {
        let older = |since: Timestamp, limit: Option<Duration>| {
            limit.is_some_and(|limit| now.duration_since(since).unsigned_abs() >= limit && now > since)
        };
        if older(session.created_at, self.max_lifetime) {
            return Some("it reached its longest lifetime");
        }
        let busy = session.state.borrow().turn.is_some();
        (!busy && older(session.last_active(), self.idle_timeout)).then_some("it was idle for too long")
    }
}

impl Sessions {
    /// Removes what the policy says should go, once. What cannot be removed now is tried again the next time.
    pub async fn sweep(&self, policy: &IdlePolicy) {
        let now = Timestamp::now();
        for session in self.list() {
            if let Some(reason) = policy.verdict(&session, now) {
                tracing::info!(session = %session.id, reason, "removing a session");
                if let Err(error) = self.remove(&session.id).await {
                    tracing::warn!(session = %session.id, %error, "a session could not be removed");
                }
            }
        }
    }

    /// Sweeps until the application shuts down.
    pub async fn sweep_forever(&self, policy: IdlePolicy) {
        let mut ticks = tokio::time::interval(policy.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !self.is_shutting_down() {
            ticks.tick().await;
            self.sweep(&policy).await;
        }
    }
}
