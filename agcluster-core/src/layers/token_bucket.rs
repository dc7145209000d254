//! So many calls at once, and then one every so often.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// One every so often, in the long run. More than a day counts as a day.
    pub every: Duration,
    /// So many at once, after a pause. Zero counts as one.
    pub burst: u32,
}

/// A token bucket for each key, full at first. Providers use it where a key finer than a layer knows is needed (an app on the platform).
///
/// Memory is bounded by the keys in use within `every` × `burst`: a bucket that is full again is forgotten.
#[derive(Debug)]
pub struct TokenBuckets<K> {
    rate: Rate,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    /// When each bucket will be full again: all that must be known of it.
    full_at: HashMap<K, Instant>,
    /// Look for full ones when there are so many.
    tidy_at: usize,
}

/// Keeps sums of moments and waits within what a clock can say.
const LONGEST_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const FIRST_TIDY: usize = 64;

impl<K: Eq + Hash> TokenBuckets<K> {
    /// Full buckets.
    pub fn new(rate: Rate) -> Self {
        let buckets = Mutex::new(Buckets { full_at: HashMap::new(), tidy_at: FIRST_TIDY });
        Self { rate: Rate { every: rate.every.min(LONGEST_EVERY), burst: rate.burst.max(1) }, buckets }
    }

    /// Takes a token, waiting for it in the order of the calls. A call that is dropped while it waits has used its token up.
    ///
    /// # Errors
    /// How long it would have to wait, at once and without a token taken, when that is more than `longest`.
    pub async fn take(&self, key: K, longest: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        let turn = self.reserve(key, now, longest)?;
        // A timer costs a millisecond even when its time has come.
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
        Ok(())
    }

    fn reserve(&self, key: K, now: Instant, longest: Duration) -> Result<Instant, Duration> {
        // Nothing is done under the lock that could leave it half done.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.full_at.get(&key).copied().unwrap_or(now).max(now) + self.rate.every;
        let wait =
            full_at.duration_since(now).saturating_sub(self.rate.every.saturating_mul(self.rate.burst));
        if wait > longest {
            return Err(wait);
        }
        buckets.full_at.insert(key, full_at);
        if buckets.full_at.len() >= buckets.tidy_at {
            buckets.full_at.retain(|_, full_at| *full_at > now);
            buckets.tidy_at = (buckets.full_at.len() * 2).max(FIRST_TIDY);
        }
        Ok(now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FLY: Rate = Rate { every: SECOND, burst: 3 };

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_one_by_one() {
        let buckets = TokenBuckets::new(FLY);
        let started = Instant::now();
        let mut moments = Vec::new();
        for _ in 0..6 {
            buckets.take("app", SECOND * 10).await.unwrap();
            moments.push(started.elapsed().as_secs_f64().round() as u64);
        }
        assert_eq!(moments, [0, 0, 0, 1, 2, 3]);
        buckets.take("another", Duration::ZERO).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whose_turn_it_is_does_not_wait_for_a_timer() {
        let buckets = TokenBuckets::new(FLY);
        for _ in 0..3 {
            assert_eq!(buckets.take("app", SECOND).now_or_never(), Some(Ok(())));
        }
        assert_eq!(buckets.take("app", SECOND).now_or_never(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_hears_how_long_and_takes_nothing() {
        let buckets = TokenBuckets::new(Rate { every: SECOND, burst: 1 });
        buckets.take("app", SECOND).await.unwrap();
        for _ in 0..3 {
            assert_eq!(buckets.take("app", SECOND / 2).await, Err(SECOND));
        }
        assert_eq!(buckets.take("app", SECOND).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn full_buckets_are_forgotten() {
        let buckets = TokenBuckets::new(FLY);
        for key in 0..10_000 {
            buckets.take(key, SECOND).await.unwrap();
            tokio::time::advance(SECOND / 10).await;
        }
        assert!(buckets.buckets.lock().unwrap().full_at.len() <= FIRST_TIDY);
    }

    proptest! {
        /// Whatever the arrivals, no span holds more turns than the bucket gives in it.
        #[test]
        fn no_span_holds_more_than_the_rate(pauses in prop::collection::vec(0_u64..3000, 1..60), burst in 1_u32..5) {
            let buckets = TokenBuckets::new(Rate { every: SECOND, burst });
            let mut now = Instant::now();
            let mut turns = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                turns.push(buckets.reserve((), now, SECOND * 1000).unwrap());
            }
            for (first, from) in turns.iter().enumerate() {
                for (last, to) in turns.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + to.duration_since(*from).as_secs();
                    prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }
    }
}
