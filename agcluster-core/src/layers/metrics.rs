//! Numbers about calls.

use ::metrics::{SharedString, counter, histogram};
use tokio::time::Instant;

use super::{Call, Layer, Next};
use crate::measure::{ALL, Metric, PROVIDER_CALL_SECONDS as SECONDS, PROVIDER_CALLS as CALLS};
use crate::provider::Result;

/// Counts calls and how long they take, through the `metrics` facade: whoever embeds this chooses where they go.
///
/// * `agcluster_provider_calls_total`, by `platform`, `operation` and `outcome`: `ok`, an error kind's
///   [code](crate::provider::ErrorKind::code), or `dropped` for a call whose caller went away;
/// * `agcluster_provider_call_seconds`, a histogram by `platform` and `operation`, of answered calls.
///
/// Under a retry it counts attempts, around it what callers see. All labels have few values: sessions and containers are not among them.
#[derive(Debug, Clone, Copy)]
pub struct Metrics(());

impl Metrics {
    /// Describes the metrics to the recorder, which should be installed by then.
    pub fn new() -> Self {
        ALL.iter().filter(|metric| [CALLS, SECONDS].contains(&metric.name)).for_each(Metric::describe);
        Self(())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Counts the call when it ends, however it ends.
struct Counted<'a> {
    call: Call<'a>,
    outcome: &'static str,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let labels = [
            ("platform", SharedString::const_str(self.call.platform)),
            ("operation", SharedString::const_str(self.call.operation.name())),
            ("outcome", SharedString::const_str(self.outcome)),
        ];
        counter!(CALLS, &labels).increment(1);
    }
}

impl Layer for Metrics {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        let mut counted = Counted { call, outcome: "dropped" };
        let started = Instant::now();
        let answer = next.run().await;
        counted.outcome = answer.as_ref().map_or_else(|error| error.kind().code(), |_| "ok");
        histogram!(SECONDS, "platform" => call.platform, "operation" => call.operation.name())
            .record(started.elapsed());
        answer
    }
}

#[cfg(test)]
mod tests;
