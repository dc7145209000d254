//! No more requests than the platform takes.

use std::time::Duration;

use agcluster_core::layers::{Rate, TokenBuckets};

use super::super::config::RequestRate;

/// What the platform counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Action {
    CreateApp,
    GetApp,
    ListApps,
    DeleteApp,
    AssignIp,
    ListIps,
    Tokens,
    Create,
    List,
    ListOfOrganization,
    Get,
    Wait,
    Start,
    Stop,
    Suspend,
    Delete,
    Exec,
}

/// The turns of requests: a token bucket for each action and what it is counted by, an app or a machine.
#[derive(Debug)]
pub(super) struct Turns {
    usual: TokenBuckets<(Action, String)>,
    /// Looking at a machine is cheaper.
    looks: TokenBuckets<(Action, String)>,
    /// Removing apps has a rate of its own.
    removals: TokenBuckets<(Action, String)>,
    longest_wait: Duration,
}

/// Looking at a machine may be done so many times as often.
const LOOKS: u32 = 5;
const LOOKS_BURST: u32 = 10;
/// A hundred apps a minute, less a reserve.
const REMOVAL: Rate = Rate { every: Duration::from_millis(650), burst: 10 };

impl Turns {
    pub(super) fn new(rate: RequestRate) -> Self {
        Self {
            usual: TokenBuckets::new(held_back(rate.per_second, rate.burst)),
            looks: TokenBuckets::new(held_back(
                rate.per_second.saturating_mul(LOOKS),
                LOOKS_BURST.max(rate.burst),
            )),
            removals: TokenBuckets::new(REMOVAL),
            longest_wait: Duration::from_secs(rate.longest_wait_seconds),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// How long it would have to wait, when that is too long.
    pub(super) async fn take(&self, action: Action, counted_by: &str) -> Result<(), Duration> {
        let (buckets, key) = match action {
            Action::Get => (&self.looks, counted_by),
            // Counted for all apps together.
            Action::DeleteApp => (&self.removals, ""),
            _ => (&self.usual, counted_by),
        };
        buckets.take((action, key.to_owned()), self.longest_wait).await
    }
}

/// The rate that is kept to: one of the burst is left, because requests may arrive closer together than they were sent.
fn held_back(per_second: u32, burst: u32) -> Rate {
    let every = Duration::from_secs(1) / per_second.max(1);
    match burst {
        0 | 1 => Rate { every: every.mul_f64(1.1), burst: 1 },
        _ => Rate { every, burst: burst - 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_part_of_the_burst_is_left_for_what_happens_on_the_way() {
        assert_eq!(held_back(1, 3), Rate { every: SECOND, burst: 2 });
        assert_eq!(held_back(5, 10), Rate { every: SECOND / 5, burst: 9 });
        assert_eq!(held_back(1, 1), Rate { every: SECOND.mul_f64(1.1), burst: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_wait_too_long_is_refused_and_others_go_on() {
        let turns = Turns::new(RequestRate { longest_wait_seconds: 0, ..RequestRate::default() });
        for _ in 0..2 {
            assert_eq!(turns.take(Action::Create, "agents").await, Ok(()));
        }
        assert!(turns.take(Action::Create, "agents").await.is_err());
        assert_eq!(turns.take(Action::Create, "others").await, Ok(()), "another app");
        assert_eq!(turns.take(Action::List, "agents").await, Ok(()), "another action");
    }
}
