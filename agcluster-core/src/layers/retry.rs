//! Another try, where one is worth it.

use std::time::Duration;

use tokio::time::Instant;

use super::random::Random;
use super::{Call, Layer, Next, Operation};
use crate::provider::{Error, Result};

/// Makes a call again whose error says that it is worth it ([`Error::is_retryable`]), after a wait, a few times.
///
/// * **Which calls.** Only those that [may be repeated](super::Operation::is_repeatable). `create` is among them because it adopts: when the
///   answer of the first one was lost, the second one finds the container by its name, which follows from session and generation. A
///   provider that does not adopt must not be put under this layer. `exec`, `snapshot` and `write_archive` are tried once.
/// * **How long between.** Exponential, with full jitter: anything from nothing to the [base](Self::waits) × 2ⁿ, up to
///   the longest wait. What the platform says (`Retry-After`) is kept, with the jitter on top of it.
/// * **When it ends.** After [`attempts`](Self::attempts), or when the next one would begin later than [`total`](Self::total) after
///   the first; then the last error is the answer. How long one attempt takes is for [`Timeout`](super::Timeout) beneath to bound.
///
/// Every further attempt is logged with its cause. Dropping the call ends it, also while it waits.
#[derive(Debug)]
pub struct Retry {
    attempts: u32,
    base: Duration,
    longest_wait: Duration,
    total: Duration,
    once: Vec<Operation>,
    random: Random,
}

impl Default for Retry {
    /// Five calls within two minutes; waits of at most 0.25 s, 0.5 s, 1 s and 2 s.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
            total: Duration::from_secs(120),
            once: Vec::new(),
            random: Random::of_this_process(),
        }
    }
}

impl Retry {
    /// With waits that are the same each time, for tests.
    pub fn seeded(self, seed: u64) -> Self {
        Self { random: Random::seeded(seed), ..self }
    }

    /// How many calls at most, the first one included.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The longest first wait, and the longest of all; the platform's own may be longer.
    pub fn waits(self, base: Duration, longest: Duration) -> Self {
        Self { base, longest_wait: longest, ..self }
    }

    /// How long after the first attempt the last one may begin.
    pub fn total(self, total: Duration) -> Self {
        Self { total, ..self }
    }

    /// This operation is tried once, though it might be repeated.
    pub fn once(mut self, operation: Operation) -> Self {
        self.once.push(operation);
        self
    }

    fn wait(&self, attempt: u32, error: &Error) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(attempt - 1));
        let jitter = self.random.duration(doubled.min(self.longest_wait));
        error.retry_after().unwrap_or_default().saturating_add(jitter)
    }
}

impl Layer for Retry {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        let repeats = call.operation.is_repeatable() && !self.once.contains(&call.operation);
        let attempts = if repeats { self.attempts } else { 1 };
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let error = match next.run().await {
                Err(error) if error.is_retryable() && attempt < attempts => error,
                answer => return answer,
            };
            let wait = self.wait(attempt, &error);
            if started.elapsed().saturating_add(wait) > self.total {
                return Err(error);
            }
            ::tracing::warn!(
                platform = call.platform,
                operation = call.operation.name(),
                attempt,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                %error,
                "a call failed and is made again"
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests;
