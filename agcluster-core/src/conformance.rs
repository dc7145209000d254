//! The behaviour suite that any provider can be put through, also by third parties.
//!
//! ```no_run
//! use std::sync::Arc;
//! use agcluster_core::conformance::{Context, run_all};
//! use agcluster_core::provider::ContainerProvider;
//!
//! # async fn example(provider: Arc<dyn ContainerProvider>) {
//! let report = run_all(&Context::new(provider, "conformance-4711")).await;
//! println!("{report}");
//! assert!(report.is_success());
//! # }
//! ```
//!
//! Which cases apply follows from the provider's [`Capabilities`](crate::provider::Capabilities), in both directions: a verb that
//! is claimed must do what is claimed, and one that is not must answer
//! [`ErrorKind::Unsupported`](crate::provider::ErrorKind::Unsupported). Cases that read from inside a container use whichever
//! of `exec` and the archives is claimed.
//!
//! Every case works in a cluster of its own, so that several run at a time and whatever a failed one leaves behind is found
//! and removed.

mod case;
mod context;
mod files;
mod report;
mod run;
mod table;
mod tar;

pub mod endpoint;
pub mod inside;
pub mod lifecycle;
pub mod listing;
pub mod optional;
pub mod workspace;

pub use case::{Failed, Outcome, Verdict};
pub use context::Context;
pub use report::{Report, Row};
pub use run::{case_names, run_all};
pub use table::Table;
