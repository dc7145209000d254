//! Waiting until a session is where it shall be. Vercel tells nobody when it is: it has to be asked again.

use std::time::Duration;

use agcluster_core::provider::Result;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::api::{Api, Failure, Seen, Session, Status};
use super::error;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Refuses a container whose session does not run.
pub(super) fn running(seen: &Seen, operation: &'static str) -> Result<()> {
    match seen.session.status {
        Status::Running => Ok(()),
        _ => Err(error::not_running(operation)),
    }
}

/// Waits until a session is over.
pub(super) async fn until_over(api: &Api, session: Session) -> Result<Session, Failure> {
    until(api, session, Status::is_final).await
}

/// Waits until a session runs, or never will.
pub(super) async fn until_up(api: &Api, session: Session) -> Result<Session, Failure> {
    until(api, session, |status| status == Status::Running || status.is_final()).await
}

async fn until(api: &Api, mut session: Session, fine: impl Fn(Status) -> bool) -> Result<Session, Failure> {
    let deadline = Instant::now() + api.timeouts.change();
    let mut pause = tokio::time::interval_at(Instant::now() + PAUSE, PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !fine(session.status) {
        if Instant::now() >= deadline {
            return Err(Failure::Timeout);
        }
        pause.tick().await;
        session = api.session(&session.id).await?;
    }
    Ok(session)
}

/// How long a call is repeated because the session is on its way to standing still.
pub(super) struct Patience {
    deadline: Instant,
    pause: Interval,
}

impl Patience {
    pub(super) fn new(api: &Api) -> Self {
        let mut pause = tokio::time::interval_at(Instant::now() + PAUSE, PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { deadline: Instant::now() + api.timeouts.change(), pause }
    }

    /// Whether the call is to be repeated now; waits a little before it says so.
    pub(super) async fn again<T>(&mut self, answer: &Result<T, Failure>) -> bool {
        let stopping = answer.as_ref().is_err_and(Failure::is_stopping);
        if !stopping || Instant::now() >= self.deadline {
            return false;
        }
        self.pause.tick().await;
        true
    }
}
