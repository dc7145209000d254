//! A platform on a bad day, the same bad day for the same seed. For tests.

use std::time::Duration;

use super::random::Random;
use super::{Call, Layer, Next, Operation};
use crate::provider::{ErrorKind, Result};

/// Adds latency, lets calls fail, and loses answers: the call is made, and its answer is replaced by an error, which is what a
/// cut connection looks like. By seed: the nth call of a run fares the same each time.
///
/// All of its errors are worth a retry, as those of a platform on a bad day are. The default does nothing at all.
#[derive(Debug)]
pub struct Chaos {
    errors: f64,
    lost_answers: f64,
    latency: Duration,
    only: Option<Vec<Operation>>,
    random: Random,
}

impl Chaos {
    /// Nothing goes wrong yet.
    pub fn seeded(seed: u64) -> Self {
        Self {
            errors: 0.0,
            lost_answers: 0.0,
            latency: Duration::ZERO,
            only: None,
            random: Random::seeded(seed),
        }
    }

    /// This share of all calls (0 to 1) fails before anything is done.
    pub fn errors(self, share: f64) -> Self {
        Self { errors: share, ..self }
    }

    /// This share of all calls (0 to 1, besides those that fail) is made and its answer lost.
    pub fn lost_answers(self, share: f64) -> Self {
        Self { lost_answers: share, ..self }
    }

    /// Each call waits for up to this long before it is made.
    pub fn latency(self, longest: Duration) -> Self {
        Self { latency: longest, ..self }
    }

    /// Other operations go through untouched.
    pub fn only(self, operations: impl IntoIterator<Item = Operation>) -> Self {
        Self { only: Some(operations.into_iter().collect()), ..self }
    }

    fn touches(&self, operation: Operation) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&operation))
    }
}

impl Layer for Chaos {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if !self.touches(call.operation) {
            return next.run().await;
        }
        // Drawn at once and always all, so that what a call draws does not hang on what other calls are doing.
        let (fate, latency, kind) =
            (self.random.fraction(), self.random.duration(self.latency), self.random.next());
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if fate < self.errors {
            let kind = match kind % 3 {
                0 => ErrorKind::Unavailable,
                1 => ErrorKind::Timeout,
                _ => ErrorKind::RateLimited { retry_after: None },
            };
            return Err(call.error(kind, "chaos: nothing was done"));
        }
        let answer = next.run().await;
        if fate < self.errors + self.lost_answers {
            return Err(call.error(ErrorKind::Unavailable, "chaos: the answer was lost"));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, id, spec};
    use super::*;
    use std::collections::HashMap;
    use tokio::time::Instant;

    async fn run(seed: u64) -> (Vec<String>, Duration, usize) {
        let fake = Fake::new();
        let provider = Chaos::seeded(seed)
            .errors(0.2)
            .lost_answers(0.1)
            .latency(Duration::from_secs(2))
            .on(fake.provider());
        let started = Instant::now();
        let mut answers = Vec::new();
        for _ in 0..1000 {
            let answer = provider.inspect(&id("a")).await;
            answers.push(answer.map_or_else(|error| error.message().to_owned(), |_| "well".to_owned()));
        }
        (answers, started.elapsed(), fake.calls().len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_seed_is_a_fate() {
        let first = run(1).await;
        assert_eq!(first.0, run(1).await.0);
        assert_ne!(first.0, run(2).await.0);
    }

    #[tokio::test(start_paused = true)]
    async fn shares_are_about_what_was_asked_for() {
        let (answers, took, calls) = run(3).await;
        let mut counts = HashMap::new();
        for answer in &answers {
            *counts.entry(answer.as_str()).or_insert(0_usize) += 1;
        }
        let (failed, lost) = (counts["chaos: nothing was done"], counts["chaos: the answer was lost"]);
        assert!((150..250).contains(&failed) && (60..140).contains(&lost), "{counts:?}");
        assert_eq!(calls, 1000 - failed, "what was lost was done");
        assert!((900..1100).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_create_has_made_its_container() {
        let fake = Fake::new();
        let provider = Chaos::seeded(1).lost_answers(1.0).only([Operation::Create]).on(fake.provider());
        let error = provider.create(spec("a")).await.unwrap_err();
        assert!(error.is_retryable());
        assert_eq!(fake.ids(), ["agc-a-g1"]);
        provider.probe().await.unwrap();
    }
}
