//! Waiting for an agent server, without a fixed sleep.

use std::time::Duration;

use agcluster_protocol::{Health, PROTOCOL_VERSION};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{AgentClient, AgentError, Result};

/// The first pause between two tries; later ones are longer.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Asks for `/health` until it is answered, pausing a little longer each time.
///
/// # Errors
/// [`AgentError::Timeout`] after `limit`; [`AgentError::Protocol`] when an agent server of another protocol answers.
pub async fn wait_until_healthy(client: &AgentClient, limit: Duration) -> Result<Health> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        match timeout_at(deadline, client.health()).await {
            Ok(Ok(health)) if health.protocol == PROTOCOL_VERSION => return Ok(health),
            Ok(Ok(health)) => {
                return Err(AgentError::Protocol(format!(
                    "it speaks protocol {} and this side {PROTOCOL_VERSION}: build the agent image again",
                    health.protocol
                )));
            }
            Ok(Err(error)) if error.is_retryable() => last = Some(error),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        let next = Instant::now() + pause;
        if next >= deadline {
            if let Some(error) = last {
                tracing::debug!(?error, "the last answer while waiting for an agent server");
            }
            return Err(AgentError::Timeout { operation: "health", limit });
        }
        sleep_until(next).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}
