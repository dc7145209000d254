//! The client of the agent server: the same on every platform, given an [`Endpoint`](crate::provider::Endpoint).

mod client;
mod dial;
mod error;
mod event_stream;
mod exchange;
mod http_client;
mod readiness;
mod token;
mod trace;
mod transport;

pub use client::AgentClient;
pub use error::{AgentError, Result};
pub use event_stream::EventStream;
#[cfg(feature = "fuzzing")]
pub(crate) use event_stream::fuzz as fuzz_event_stream;
pub use exchange::{Exchange, Exchanged, read_json};
pub use readiness::wait_until_healthy;
pub use token::{AgentToken, TokenKey};
pub use trace::{Traceparent, carry_traces};
