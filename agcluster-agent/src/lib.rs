//! The agent server: the small program in every container.
//!
//! It is started knowing nothing but the digest of a bearer token. `POST /configure` gives it a session, an agent's
//! options and the key of the model; from then on it runs one agent program through a driver, numbers what the agent does
//! as events of one vocabulary, and keeps them for replay. The contract is the crate `agcluster-protocol`.
//!
//! The binary `agcluster-agent` serves it on a socket. [`AgentServer`] is the same in-process:
//!
//! ```
//! use agcluster_agent::{AgentServer, ServerConfig, TokenDigest};
//!
//! # async fn example() {
//! let server = AgentServer::new(ServerConfig::new(TokenDigest::of("a-random-token")));
//! let router: axum::Router = server.router();
//! // … serve it …
//! server.shutdown().await;
//! # }
//! ```

mod config;
mod driver;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod git_relay;
mod http;
mod log;
mod loopback;
mod model_proxy;
mod outbound;
mod program;
mod recorder;
mod resources;
mod server;
mod session;
mod token;
mod vitals;
pub mod workspace;

pub use config::{AgentUser, Programs, ReplayLimits, ServerConfig};
pub use server::AgentServer;
pub use token::{InvalidDigest, TokenDigest};
