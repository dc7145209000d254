//! The fake's time, which may run faster than ours.

use std::time::Duration;

use tokio::time::Instant;

/// A clock that may run faster.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    times: u32,
}

impl Clock {
    /// A clock that runs so many times as fast as ours; 1 is real time.
    pub fn running(times: u32) -> Self {
        Self { started: Instant::now(), times: times.max(1) }
    }

    /// What it shows, as the time since it was started.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed() * self.times
    }

    /// How much more may come at once than in real time: when this machine stands still for a moment, what would have come
    /// over some time of this clock's comes together.
    pub(super) fn hurry(&self) -> f64 {
        if self.times == 1 { 1.0 } else { 10.0 }
    }

    /// Ends when it has gone on by this much.
    pub(super) async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span / self.times).await;
    }
}
