//! An end to calls that the platform does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Call, Layer, Next, Operation};
use crate::provider::{ErrorKind, Result};

/// Gives up on a call after its operation's time-out. The call is dropped, which leaves the platform in a state
/// from which it can be repeated (see the rules of [`ContainerProvider`](crate::provider::ContainerProvider)).
///
/// What a call asks for itself (the grace of a stop, the time-out of a command) comes on top. Streams (`logs`, `read_archive`) are
/// bounded until they begin; from then on they are the reader's.
#[derive(Debug, Clone)]
pub struct Timeout {
    usual: Duration,
    by_operation: BTreeMap<Operation, Duration>,
}

impl Timeout {
    /// One time-out for all operations.
    pub fn new(usual: Duration) -> Self {
        Self { usual, by_operation: BTreeMap::new() }
    }

    /// Another one for this operation.
    pub fn with(mut self, operation: Operation, limit: Duration) -> Self {
        self.by_operation.insert(operation, limit);
        self
    }

    fn limit(&self, call: &Call<'_>) -> Duration {
        let limit = self.by_operation.get(&call.operation).copied().unwrap_or(self.usual);
        limit.saturating_add(call.allowance)
    }
}

impl Default for Timeout {
    /// One minute; ten seconds for `probe`, three minutes for what starts machines or copies them, ten for `write_archive`.
    fn default() -> Self {
        Self::new(Duration::from_secs(60))
            .with(Operation::Probe, Duration::from_secs(10))
            .with(Operation::Create, Duration::from_secs(180))
            .with(Operation::Restore, Duration::from_secs(180))
            .with(Operation::Fork, Duration::from_secs(180))
            .with(Operation::Snapshot, Duration::from_secs(180))
            .with(Operation::WriteArchive, Duration::from_secs(600))
    }
}

impl Layer for Timeout {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        let limit = self.limit(&call);
        match tokio::time::timeout(limit, next.run()).await {
            Ok(answer) => answer,
            Err(_) => {
                let message = format!("no answer within {} s: try again later", limit.as_secs_f64());
                // What was asked may have been done.
                Err(call.error(ErrorKind::Timeout, message).retryable(call.operation.is_repeatable()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, id};
    use super::*;
    use crate::provider::{ExecOptions, StopOptions};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_operations_time_out() {
        let fake = Fake::new().taking(SECOND * 5);
        let provider = Timeout::new(SECOND * 2).with(Operation::Inspect, SECOND * 6).on(fake.provider());
        let started = tokio::time::Instant::now();
        let error = provider.probe().await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
        assert_eq!(error.to_string(), "fake probe: no answer within 2 s: try again later");
        assert_eq!(started.elapsed(), SECOND * 2);
        provider.inspect(&id("a")).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_asks_for_itself_comes_on_top() {
        let fake = Fake::new().taking(SECOND * 5);
        let provider = Timeout::new(SECOND * 2).on(fake.provider());
        provider.stop(&id("a"), StopOptions { grace: SECOND * 4 }).await.unwrap();
        let options = ExecOptions { timeout: SECOND * 2, ..ExecOptions::new(["true"]) };
        let error = provider.exec(&id("a"), options).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false));
    }
}
