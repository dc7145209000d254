//! Cloudflare Containers, behind a gateway Worker of the user's own.
//!
//! No public call starts a container at Cloudflare: only code of a Durable Object does. So this platform has two halves: the
//! gateway Worker in `cloudflare/worker/`, which users deploy once with the agent image, and this client of it. A container's
//! id is the name of its Durable Object.
//!
//! That a client went away is not seen in a container behind Cloudflare. Whatever shall end is ended by a call: a turn by the agent
//! server's `/interrupt`, a container by `stop` or `destroy`, one that nobody asks for any more by its lifetime.
//!
//! | file | what it knows |
//! |---|---|
//! | `config.rs` | what an operator can set |
//! | `api.rs`, `api/` | the gateway's wire |
//! | `error.rs` | what its refusals mean, and those of what stands before it |
//! | `order.rs`, `view.rs` | from a spec to an order, and from an answer to a container |
//! | `provider.rs` | the trait |
//! | `worker/` | the gateway itself: plain JavaScript, no dependencies |
//!
//! Set-up, costs and troubleshooting: `docs/providers/cloudflare.md`.

mod api;
mod config;
mod error;
mod order;
mod provider;
mod view;

use agcluster_core::provider::ProviderFactory;

pub use config::{AccessConfig, CloudflareConfig, ENV, Timeouts};
pub use provider::CloudflareProvider;

/// The platform's name.
pub const PLATFORM: &str = "cloudflare";

/// The port of the agent server in a container.
const AGENT_PORT: u16 = 3000;

/// Registers the provider as `cloudflare`.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_environment(PLATFORM, ENV);
    factory.register_configured(PLATFORM, CloudflareProvider::new);
}
