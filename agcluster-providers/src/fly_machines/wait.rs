//! Waiting for a machine, in slices as long as the platform takes.

use tokio::time::Instant;

use super::api::{Api, Failure};

/// The longest that the platform waits at a time.
const SLICE_SECONDS: u64 = 60;

/// What waiting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// One of the states; which one, older answers do not say.
    State(Option<String>),
    /// The machine is gone.
    Gone,
    /// Not in time.
    NotYet,
}

/// Waits until a machine is in one of these states (with commas), gone, or the time is over.
///
/// `version` is the configuration's, without which the platform would take an earlier standstill for this one.
pub(super) async fn until(
    api: &Api,
    (app, machine): (&str, &str),
    states: &str,
    version: Option<&str>,
    deadline: Instant,
) -> Result<Reached, Failure> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Reached::NotYet);
        }
        let seconds = left.as_secs().clamp(1, SLICE_SECONDS);
        match api.wait(app, machine, states, version, seconds).await {
            Ok(waited) => return Ok(Reached::State(waited.state)),
            Err(failure) if failure.is_not_found() => return Ok(Reached::Gone),
            Err(failure) if failure.status() == 408 => {}
            Err(failure) => return Err(failure),
        }
    }
}
