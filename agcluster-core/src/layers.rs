//! Layers: providers around providers.
//!
//! A platform's folder knows its platform; what is the same for all of them is a layer. Each changes how calls are made and none
//! what they mean: capabilities stay as they are, but for those that a layer is there to take away. A stack reads from the platform outwards:
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use agcluster_core::{layers::{ConcurrencyLimit, Retry, Stack, Timeout}, provider::ContainerProvider};
//! # fn stack(docker: Arc<dyn ContainerProvider>) -> Arc<dyn ContainerProvider> {
//! Stack::of(docker)
//!     .with(Timeout::default())
//!     .with(ConcurrencyLimit::new(16, Duration::from_secs(60)))
//!     .with(Retry::default())
//!     .build()
//! # }
//! ```
//!
//! * [`Timeout`] ends what is not answered. Innermost, so that each attempt has its own.
//! * [`RateLimit`] and [`ConcurrencyLimit`] let calls wait. Outside of the time-out, which would count the wait; inside of the retry, so that
//!   every attempt waits its turn.
//! * [`Retry`] makes calls again that are worth it.
//! * [`CircuitBreaker`] keeps calls from a platform that is down. Outside of the retry, which would wait for an open circuit to close.
//! * [`Failover`] goes to the next platform. Around whole stacks, so that each member has its own retry and circuit.
//! * [`Metrics`] and [`Tracing`] say what happens: outermost what callers see, innermost each attempt.
//! * [`Chaos`] is for tests, innermost, where the platform would be at fault.

mod chaos;
mod circuit_breaker;
mod concurrency_limit;
pub(crate) mod failover;
#[cfg(test)]
pub(crate) mod fake;
mod layer;
mod layered;
mod metrics;
mod operation;
mod random;
mod rate_limit;
mod retry;
mod stack;
mod timeout;
mod token_bucket;
mod tracing;

pub use chaos::Chaos;
pub use circuit_breaker::{CIRCUIT_OPEN, CircuitBreaker};
pub use concurrency_limit::ConcurrencyLimit;
pub use failover::Failover;
pub use layer::{Call, Layer, Next};
pub use metrics::Metrics;
pub use operation::Operation;
pub use rate_limit::RateLimit;
pub use retry::Retry;
pub use stack::Stack;
pub use timeout::Timeout;
pub use token_bucket::{Rate, TokenBuckets};
pub use tracing::Tracing;
