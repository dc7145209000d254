//! No more calls at a time than the platform takes.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Call, Layer, Next, Operation};
use crate::provider::{ErrorKind, Result};

/// Lets so many calls be on their way at a time; others wait, in their order, for a while.
///
/// A call is on its way until it is answered; for a stream (`logs`, `read_archive`) that is when it begins. `probe` is let through: it
/// must be able to say that the platform is well while there is much to do.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    places: Semaphore,
    longest_wait: Duration,
}

impl ConcurrencyLimit {
    /// So many calls at a time (at least one), and how long another one waits before it is refused.
    pub fn new(calls: usize, longest_wait: Duration) -> Self {
        Self { places: Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS)), longest_wait }
    }
}

impl Layer for ConcurrencyLimit {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if call.operation == Operation::Probe {
            return next.run().await;
        }
        // The semaphore is never closed, so that a missing place means that the time is up.
        let Ok(Ok(_place)) = tokio::time::timeout(self.longest_wait, self.places.acquire()).await else {
            let kind = ErrorKind::RateLimited { retry_after: None };
            return Err(call.error(kind, "too many calls are under way: try again later"));
        };
        next.run().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, id};
    use super::*;
    use futures::future::join_all;
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn others_wait_until_a_place_is_free() {
        let fake = Fake::new().taking(SECOND);
        let provider = ConcurrencyLimit::new(2, SECOND * 10).on(fake.provider());
        let started = Instant::now();
        let id = id("a");
        for answer in join_all((0..6).map(|_| provider.inspect(&id))).await {
            answer.unwrap();
        }
        assert_eq!(started.elapsed(), SECOND * 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_is_bounded_and_a_dropped_call_frees_its_place() {
        let fake = Fake::new().taking(SECOND * 10);
        let provider = ConcurrencyLimit::new(1, SECOND).on(fake.provider());
        let id = id("a");
        {
            let first = provider.inspect(&id);
            tokio::pin!(first);
            assert!(futures::poll!(&mut first).is_pending());
            let error = provider.inspect(&id).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::RateLimited { retry_after: None });
            provider.probe().await.unwrap();
        }
        provider.inspect(&id).await.unwrap();
    }
}
