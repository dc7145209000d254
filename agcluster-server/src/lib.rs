//! The AgCluster HTTP server: routes in, core calls out.
//!
//! A handler parses, calls [`agcluster_core`], and renders; nothing that an embedding application would have to write
//! again lives here. [`router`] reads as the table of contents of the API, [`Settings`] as that of the configuration.

mod agent_server;
mod anthropic;
mod app;
mod auth;
mod compat;
mod cursor;
mod defaults;
#[cfg(feature = "docs-ui")]
mod docs_page;
mod environment;
mod extract;
mod logging;
mod metrics;
mod openai;
mod openapi;
mod persistence;
mod problem;
mod projections;
mod providers;
mod readiness;
mod request_span;
mod routes;
mod serve;
mod settings;
mod sse;
mod stack;
mod traces;

pub use app::{AppState, router};
pub use defaults::AgentDefaults;
pub use environment::Environment;
pub use logging::init as init_logging;
pub use metrics::{HTTP as HTTP_METRICS, MetricsAccess};
pub use problem::{FieldProblem, Problem};
pub use providers::providers;
pub use readiness::Readiness;
pub use routes::files::FileLimits;
pub use serve::{Server, StartError};
pub use settings::{OnShutdown, Settings};
pub use stack::{LayerSettings, around};
pub use traces::Traces;
