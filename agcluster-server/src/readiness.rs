//! Whether providers answer, asked at most every few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agcluster_core::provider::{ContainerProvider, Error, Probe};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::openapi::schemas::ProbeSchema;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(5);

/// Whether a provider answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Health {
    /// It did.
    Healthy {
        /// What it told.
        #[serde(flatten)]
        #[schema(value_type = ProbeSchema)]
        probe: Probe,
    },
    /// It did not.
    Unhealthy {
        /// The kind of error.
        code: &'static str,
        /// One sentence.
        detail: String,
    },
}

/// When a provider was asked last and what it said. Locked while it is asked.
type Answer = Arc<Mutex<Option<(Instant, Health)>>>;

/// Remembers what providers answered last. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Readiness {
    /// Whether a provider answers. Asks it, unless it was asked a moment ago; several callers at once ask once.
    pub async fn of(&self, name: &str, provider: &dyn ContainerProvider) -> Health {
        let answer = Arc::clone(self.answers.lock().await.entry(name.to_owned()).or_default());
        let mut answer = answer.lock().await;
        match &*answer {
            Some((asked, health)) if asked.elapsed() < FRESH => health.clone(),
            _ => {
                let health = provider.probe().await.map_or_else(unhealthy, |probe| Health::Healthy { probe });
                *answer = Some((Instant::now(), health.clone()));
                health
            }
        }
    }
}

fn unhealthy(error: Error) -> Health {
    Health::Unhealthy { code: error.kind().code(), detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use agcluster_core::layers::{Call, Layer, Next};
    use agcluster_core::provider::{ErrorKind, Result};
    use agcluster_providers::memory::MemoryProvider;
    use futures::future::join_all;

    use super::*;

    /// A platform that is well when it is asked for the first time, and then no more.
    #[derive(Debug, Clone, Default)]
    struct WellOnce(Arc<AtomicUsize>);

    impl Layer for WellOnce {
        async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            // So that others ask meanwhile.
            tokio::task::yield_now().await;
            if asked == 0 { next.run().await } else { Err(call.error(ErrorKind::Unavailable, "no engine")) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_platform_is_asked_once_in_a_while_however_many_want_to_know() {
        let asked = WellOnce::default();
        let provider = asked.clone().on(Arc::new(MemoryProvider::default()));
        let readiness = Readiness::default();
        let healthy = async |name| matches!(readiness.of(name, &*provider).await, Health::Healthy { .. });
        assert_eq!(join_all((0..10).map(|_| healthy("memory"))).await, [true; 10]);
        tokio::time::advance(FRESH - Duration::from_millis(1)).await;
        assert!(healthy("memory").await);
        assert_eq!(asked.0.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!healthy("memory").await);
        let Health::Unhealthy { code, detail } = readiness.of("memory", &*provider).await else { panic!() };
        assert_eq!((code, detail.as_str()), ("unavailable", "memory probe: no engine"));
        assert_eq!(asked.0.load(Ordering::Relaxed), 2);
        assert!(!healthy("another").await, "what one platform said is no answer of another's");
    }
}
