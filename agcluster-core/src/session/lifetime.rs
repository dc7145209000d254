//! Keeping a container that its platform would end, for as long as its session is in use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Session;
use super::session_handle::Along;
use crate::journal::Patience;
use crate::provider::{Container, ContainerId, Error, ErrorKind, Result};

/// A container is extended so long before its end, or earlier: when a third of its life is left.
const MARGIN: Duration = Duration::from_secs(180);
/// A life that cannot be had is halved until it is shorter than this.
const SHORTEST: Duration = Duration::from_secs(60);

/// Watches over a session's container until the session lets go of it, if its platform ends containers and lets that be
/// moved.
pub(super) fn keep(session: &Arc<Session>, container: &Container, attachment: CancellationToken) {
    let Ok(provider) = session.provider() else { return };
    let extendable = provider.info().capabilities.lifetime.extendable;
    let Some(left) = container.expires_at.map(left).filter(|_| extendable) else { return };
    let life = SessionLife { session: Arc::clone(session), id: container.id.clone() };
    tokio::spawn(async move {
        attachment.run_until_cancelled(extend_in_time(&life, left)).await;
    });
}

/// A life that may be made longer.
#[async_trait]
trait Life: Sync {
    /// Whether something acted in the last so long.
    fn is_in_use(&self, within: Duration) -> bool;

    /// Makes it at least so long from now; answers how long it is then.
    async fn extend(&self, lifetime: Duration) -> Result<Option<Duration>>;
}

/// Extends a life each time before it ends, by as much as it had at first. Ends when the life does, or cannot be any longer.
async fn extend_in_time(life: &impl Life, first: Duration) {
    let (mut granted, mut end) = (first, Instant::now() + first);
    loop {
        let margin = MARGIN.min(granted / 3);
        sleep_until(end - margin).await;
        // Whoever comes back in the last minutes still finds it.
        while !life.is_in_use(granted) {
            let next = Instant::now() + margin / 6;
            if margin.is_zero() || next >= end {
                return;
            }
            sleep_until(next).await;
        }
        match life.extend(granted).await {
            Ok(None) => return,
            Ok(Some(left)) => end = Instant::now() + left,
            Err(error) if error.is_retryable() => {
                tracing::info!(%error, "a container in use is not extended yet");
                let next = Instant::now() + margin / 6;
                if margin.is_zero() || next >= end {
                    return;
                }
                sleep_until(next).await;
            }
            // The platform's longest life is near: take what is left of it.
            Err(error) if error.kind() == ErrorKind::Quota && granted / 2 >= SHORTEST => granted /= 2,
            Err(error) => {
                tracing::warn!(%error, "a container in use will be ended by its platform");
                return;
            }
        }
    }
}

/// How long it is until then.
pub(super) fn left(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()
}

struct SessionLife {
    session: Arc<Session>,
    id: ContainerId,
}

#[async_trait]
impl Life for SessionLife {
    fn is_in_use(&self, within: Duration) -> bool {
        let idle = Timestamp::now().duration_since(self.session.last_active());
        self.session.state.borrow().turn.is_some() || idle.unsigned_abs() < within
    }

    async fn extend(&self, lifetime: Duration) -> Result<Option<Duration>> {
        let provider = self.session.placement.known().ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "session", "extend", "its provider is not configured")
        })?;
        let container = provider.extend(&self.id, lifetime).await?;
        let kept = self.session.change(Patience::Short, |state| {
            state.expires_at = container.expires_at;
            Ok(Along::default())
        });
        if let Err(error) = kept.await {
            tracing::debug!(session = %self.session.id, %error, "a container's new end was not written down");
        }
        Ok(container.expires_at.map(left))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LIFE: Duration = Duration::from_secs(600);

    /// A life on a platform that allows `longest` from the start.
    struct Fake {
        begun: Instant,
        longest: Duration,
        used_until: Duration,
        /// When it was extended, and by how much.
        extended: Mutex<Vec<(u64, u64)>>,
        faults: Mutex<u32>,
    }

    impl Fake {
        fn new(longest: u64, used_until: u64, faults: u32) -> Self {
            Self {
                begun: Instant::now(),
                longest: Duration::from_secs(longest),
                used_until: Duration::from_secs(used_until),
                extended: Mutex::default(),
                faults: Mutex::new(faults),
            }
        }

        async fn run(self) -> Vec<(u64, u64)> {
            extend_in_time(&self, LIFE).await;
            self.extended.into_inner().unwrap()
        }
    }

    #[async_trait]
    impl Life for Fake {
        fn is_in_use(&self, within: Duration) -> bool {
            self.begun.elapsed() < self.used_until + within
        }

        async fn extend(&self, lifetime: Duration) -> Result<Option<Duration>> {
            let mut faults = self.faults.lock().unwrap();
            if *faults > 0 {
                *faults -= 1;
                return Err(Error::new(ErrorKind::Unavailable, "fake", "extend", "not now"));
            }
            if self.begun.elapsed() + lifetime > self.longest {
                return Err(Error::new(ErrorKind::Quota, "fake", "extend", "no longer"));
            }
            self.extended.lock().unwrap().push((self.begun.elapsed().as_secs(), lifetime.as_secs()));
            Ok(Some(lifetime))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_use_is_extended_before_its_end_and_what_is_not_is_left() {
        assert_eq!(Fake::new(86_400, 1, 0).run().await, [(420, 600)]);
        assert_eq!(Fake::new(86_400, 1000, 0).run().await, [(420, 600), (840, 600), (1260, 600)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_platform_that_fails_for_a_while_is_asked_again_in_time() {
        assert_eq!(Fake::new(86_400, 1, 3).run().await.first(), Some(&(510, 600)));
        assert_eq!(Fake::new(86_400, 86_400, 1000).run().await, []);
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_longest_life_as_much_is_taken_as_can_be() {
        let extended = Fake::new(1200, 86_400, 0).run().await;
        let (at, by) = extended.last().copied().unwrap();
        assert!(at + by <= 1200 && at + by > 1100, "{extended:?}");
    }
}
