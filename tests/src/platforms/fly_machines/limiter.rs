//! The platform's own count of requests: for each action and each app or machine, one a second and three at once.

use std::collections::HashMap;
use std::time::Duration;

use super::clock::Clock;

/// Token buckets, written apart from those of the client that they judge.
#[derive(Debug)]
pub(super) struct Limiter {
    clock: Clock,
    buckets: HashMap<(&'static str, String), Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// Tokens a second, and the most there are.
fn rate(action: &str) -> (f64, f64) {
    match action {
        "get_machine" => (5.0, 10.0),
        "delete_app" => (100.0 / 60.0, 100.0),
        _ => (1.0, 3.0),
    }
}

impl Limiter {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, buckets: HashMap::new() }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, action: &'static str, counted_by: &str) -> bool {
        let now = self.clock.now();
        let (per_second, most) = rate(action);
        let most = most * self.clock.hurry();
        let bucket = self.buckets.entry((action, counted_by.to_owned()));
        let bucket = bucket.or_insert(Bucket { tokens: most, at: now });
        let gained = (now.saturating_sub(bucket.at)).as_secs_f64() * per_second;
        *bucket = Bucket { tokens: (bucket.tokens + gained).min(most), at: now };
        let has_one = bucket.tokens >= 1.0;
        if has_one {
            bucket.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn three_at_once_and_one_a_second() {
        let mut limiter = Limiter::new(Clock::running(1));
        let take = |limiter: &mut Limiter| limiter.take("create_machine", "app");
        assert_eq!([0; 4].map(|_| take(&mut limiter)), [true, true, true, false]);
        assert!(limiter.take("create_machine", "another"));
        assert!(limiter.take("list_machines", "app"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([0; 2].map(|_| take(&mut limiter)), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_faster_clock_gives_more() {
        let mut limiter = Limiter::new(Clock::running(10));
        while limiter.take("create_machine", "app") {}
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(limiter.take("create_machine", "app") && limiter.take("create_machine", "app"));
        assert!(!limiter.take("create_machine", "app"));
    }
}
