//! No calls to a platform that is down, until it is up again.

mod circuit;

use std::time::Duration;

use tokio::time::Instant;

use self::circuit::{Circuit, Verdict};
use super::{Call, Layer, Next, Operation};
use crate::provider::{ErrorKind, Result};

/// The [code](crate::provider::Error::code) of the error that an open circuit answers.
pub const CIRCUIT_OPEN: &str = "circuit_open";

/// Refuses calls at once while the platform is down, instead of letting each find out for itself.
///
/// * **Closed**: calls are made. So many failures in a row open it. A failure is [`ErrorKind::Unavailable`] or [`ErrorKind::Timeout`], but for that of
///   a command (`exec`); any other error shows that the platform is there.
/// * **Open**: calls are answered with [`ErrorKind::Unavailable`], code [`CIRCUIT_OPEN`], and
///   [when to come back](crate::provider::Error::retry_after). After a while it is half open.
/// * **Half open**: one call at a time is let through. If it goes well the circuit is closed, if it fails it is open again. A call that is
///   dropped before it is answered says nothing.
///
/// It is one circuit for all operations: platforms fail as a whole. `probe` always goes through and is not counted, so that it says how the
/// platform is and not how the circuit is.
#[derive(Debug)]
pub struct CircuitBreaker {
    circuit: Circuit,
}

impl CircuitBreaker {
    /// Opens after so many failures in a row (at least one), for so long (at most a day).
    pub fn new(failures: u32, open: Duration) -> Self {
        Self { circuit: Circuit::new(failures, open) }
    }
}

impl Default for CircuitBreaker {
    /// Five failures; half a minute.
    fn default() -> Self {
        Self::new(5, Duration::from_secs(30))
    }
}

impl Layer for CircuitBreaker {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if call.operation == Operation::Probe {
            return next.run().await;
        }
        let pass = match self.circuit.enter(Instant::now()) {
            Ok(pass) => pass,
            Err(wait) => {
                let message = format!(
                    "the platform did not answer the last calls: try again in {} s",
                    wait.as_secs_f64().ceil()
                );
                let error = call.error(ErrorKind::Unavailable, message);
                return Err(error.with_code(CIRCUIT_OPEN).with_retry_after(wait));
            }
        };
        let answer = next.run().await;
        let verdict = match &answer {
            // A command that took too long is the caller's.
            Err(error) if error.kind() == ErrorKind::Timeout && call.operation == Operation::Exec => {
                Verdict::Success
            }
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                Verdict::Failure
            }
            _ => Verdict::Success,
        };
        if let Some(change) = pass.report(verdict, Instant::now()) {
            ::tracing::warn!(platform = call.platform, circuit = change, "the circuit changed");
        }
        answer
    }
}

#[cfg(test)]
mod tests;
