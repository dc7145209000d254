//! The layers around every platform.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::layers::{
    CircuitBreaker, ConcurrencyLimit, Metrics, Operation, Rate, RateLimit, Retry, Stack, Timeout, Tracing,
};
use agcluster_core::provider::ContainerProvider;
use serde::Deserialize;

/// What can be said of the layers, under `layers` of a platform's file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerSettings {
    /// So many calls may be under way at a time.
    pub concurrency: usize,
    /// So many containers may be made in a minute, at even distances; as many as are asked for when absent.
    pub creates_per_minute: Option<u32>,
    /// How long making one may take, in seconds: waiting for the platform's own rate limits, and going through its regions, included.
    pub create_seconds: u64,
}

impl Default for LayerSettings {
    /// 128 calls, any number of containers, three minutes.
    fn default() -> Self {
        Self { concurrency: 128, creates_per_minute: None, create_seconds: 180 }
    }
}

impl LayerSettings {
    /// Refuses what lets no call through.
    ///
    /// # Errors
    /// A sentence with the field.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.concurrency == 0 {
            return Err("concurrency: at least 1");
        }
        if self.creates_per_minute == Some(0) {
            return Err("creates_per_minute: at least 1");
        }
        if !(1..=86_400).contains(&self.create_seconds) {
            return Err("create_seconds: between 1 and 86400 seconds");
        }
        Ok(())
    }
}

/// How long a call waits for its turn before it is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Puts the server's layers around a platform. From the outside, as a call meets them:
///
/// 1. **Tracing**: one span for what the caller asked, with everything below in it.
/// 2. **Metrics**: what the caller saw, retries and waits included, and refusals of the next layer.
/// 3. **Circuit breaker**: outside of the retry, so that a platform that is down is given up on at once, and so that a call counts as one failure and not as
///    each of its attempts.
/// 4. **Retry**: around everything that one attempt goes through. `probe` is tried once: it says how the platform is now.
/// 5. **Rate limit**: inside of the retry, so that attempts wait for their turn too; outside of the next one, so that who waits here holds no place there.
/// 6. **Concurrency limit**: only calls that are on their way to the platform have a place.
/// 7. **Time-out**: innermost, so that each attempt has its own and no wait for a turn is counted.
///
/// Failover is not among them: which provider a container is on is the session's to know, so a launch chooses among whole stacks
/// ([`Selection`](agcluster_core::provider::Selection)). A call costs some microseconds here, which the bench holds against its target.
pub fn around(platform: Arc<dyn ContainerProvider>, settings: &LayerSettings) -> Arc<dyn ContainerProvider> {
    let create = Duration::from_secs(settings.create_seconds);
    Stack::of(platform)
        .with(
            [Operation::Create, Operation::Restore, Operation::Fork]
                .into_iter()
                .fold(Timeout::default(), |limits, operation| limits.with(operation, create)),
        )
        .with(ConcurrencyLimit::new(settings.concurrency, LONGEST_WAIT))
        .with(creates(settings, create))
        .with(Retry::default().once(Operation::Probe))
        .with(CircuitBreaker::default())
        .with(Metrics::new())
        .with(Tracing)
        .build()
}

/// The rate at which containers are made, if there is one.
fn creates(settings: &LayerSettings, longest_wait: Duration) -> RateLimit {
    let limit = RateLimit::new(longest_wait);
    match settings.creates_per_minute {
        Some(many) => limit.with(Operation::Create, Rate { every: Duration::from_secs(60) / many, burst: 1 }),
        None => limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<(), String> {
        let settings: LayerSettings = serde_json::from_value(value).map_err(|error| error.to_string())?;
        settings.check().map_err(str::to_owned)
    }

    #[test]
    fn what_lets_no_call_through_is_refused_by_field() {
        read(json!({})).unwrap();
        read(json!({ "concurrency": 1, "creates_per_minute": 60, "create_seconds": 600 })).unwrap();
        for (bad, field) in [
            (json!({ "concurrency": 0 }), "concurrency"),
            (json!({ "creates_per_minute": 0 }), "creates_per_minute"),
            (json!({ "create_seconds": 0 }), "create_seconds"),
            (json!({ "retries": 3 }), "retries"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(field), "{error}");
        }
    }
}
