//! Whether providers answer, asked at most every few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agcluster_core::provider::{ContainerProvider, Error, Probe};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(5);

/// Whether a provider answered.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Health {
    /// It did.
    Healthy {
        /// What it told.
        #[serde(flatten)]
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
