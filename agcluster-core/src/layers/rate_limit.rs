//! No more calls than the platform takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Layer, Next, Operation, Rate, TokenBuckets};
use crate::provider::{ErrorKind, Result};

/// Lets calls wait for their turn instead of being refused by the platform: a token bucket for each key and operation.
///
/// The key is the platform's name, unless [`keyed_by`](Self::keyed_by) says otherwise. Operations without a rate are not held back. A provider whose
/// limits depend on what only it knows (an app) uses [`TokenBuckets`] itself.
pub struct RateLimit {
    limits: BTreeMap<Operation, TokenBuckets<String>>,
    longest_wait: Duration,
    key: Arc<dyn Fn(&Call<'_>) -> String + Send + Sync>,
}

impl RateLimit {
    /// No rates yet. A call that would have to wait for longer than this is refused at once.
    pub fn new(longest_wait: Duration) -> Self {
        Self { limits: BTreeMap::new(), longest_wait, key: Arc::new(|call| call.platform.to_owned()) }
    }

    /// Holds an operation to a rate.
    pub fn with(mut self, operation: Operation, rate: Rate) -> Self {
        self.limits.insert(operation, TokenBuckets::new(rate));
        self
    }

    /// Calls with different keys do not wait for each other.
    pub fn keyed_by(mut self, key: impl Fn(&Call<'_>) -> String + Send + Sync + 'static) -> Self {
        self.key = Arc::new(key);
        self
    }
}

impl std::fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimit")
            .field("limits", &self.limits)
            .field("longest_wait", &self.longest_wait)
            .finish_non_exhaustive()
    }
}

impl Layer for RateLimit {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if let Some(buckets) = self.limits.get(&call.operation) {
            let key = (self.key)(&call);
            if let Err(wait) = buckets.take(key, self.longest_wait).await {
                let kind = ErrorKind::RateLimited { retry_after: Some(wait) };
                let message =
                    format!("too many calls are waiting: try again in {} s", wait.as_secs_f64().ceil());
                return Err(call.error(kind, message));
            }
        }
        next.run().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, id, spec};
    use super::*;
    use futures::future::join_all;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: Rate = Rate { every: SECOND, burst: 1 };

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_their_turn_and_none_fails() {
        let fake = Fake::new();
        let rate = Rate { every: SECOND, burst: 3 };
        let provider = RateLimit::new(SECOND * 100).with(Operation::Create, rate).on(fake.provider());
        let started = Instant::now();
        let sessions: Vec<_> = (0..10).map(|number| spec(&format!("s{number}"))).collect();
        for made in join_all(sessions.into_iter().map(|spec| provider.create(spec))).await {
            made.unwrap();
        }
        assert_eq!(started.elapsed().as_secs_f64().round(), 7.0);
        provider.inspect(&id("a")).await.unwrap();
        assert_eq!(started.elapsed().as_secs_f64().round(), 7.0, "other operations do not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn too_long_a_wait_is_refused_with_its_length() {
        let fake = Fake::new();
        let provider = RateLimit::new(SECOND / 2).with(Operation::Create, ONE).on(fake.provider());
        provider.create(spec("a")).await.unwrap();
        let error = provider.create(spec("b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited { retry_after: Some(SECOND) });
        assert_eq!(fake.calls().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_do_not_wait_for_each_other() {
        let fake = Fake::new();
        let provider = RateLimit::new(Duration::ZERO)
            .with(Operation::Create, ONE)
            .keyed_by(|call| call.session.unwrap_or_default().to_owned())
            .on(fake.provider());
        provider.create(spec("a")).await.unwrap();
        provider.create(spec("b")).await.unwrap();
        provider.create(spec("a")).await.unwrap_err();
    }
}
