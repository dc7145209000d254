//! Sandboxes of Vercel: one microVM a container.
//!
//! A *sandbox* is a durable name in a project, a *session* one running machine of it. A container here is the sandbox of
//! the container's own name; its session changes with every start, and its routes with it, so both are asked for and never
//! remembered.
//!
//! Nothing runs in a new sandbox. The agent server is in the image, in a snapshot, or uploaded, and is started as a
//! detached command.
//!
//! | file | what it knows |
//! |---|---|
//! | `config.rs` | what an operator can set |
//! | `credentials.rs` | a token, and the team and project it is for |
//! | `api.rs` | Vercel's wire |
//! | `error.rs` | what its refusals mean |
//! | `tags.rs` | how labels are kept in five tags |
//! | `create.rs` | making or adopting a container |
//! | `keep.rs` | removing one, with or without its workspace |
//! | `fork.rs` | making one that begins with another one's files |
//! | `provider.rs` | the trait |
//!
//! Set-up, costs, security and troubleshooting: `docs/providers/vercel.md`.

mod agent;
mod api;
mod archive;
mod config;
mod create;
mod credentials;
mod error;
mod exec;
mod fork;
mod keep;
mod logs;
mod provider;
mod shared;
mod size;
mod tags;
mod upload;
mod view;
mod wait;

use agcluster_core::provider::ProviderFactory;

pub use config::{ENV, NetworkMode, NetworkPolicy, Plan, Timeouts, VercelConfig};
pub use provider::VercelProvider;

/// The platform's name.
pub const PLATFORM: &str = "vercel";

/// Where the workspace is in a container.
const WORKSPACE: &str = "/workspace";
/// The user that the agent server runs the agent as, and that user's only group.
const AGENT_OWNER: &str = "1000:1000";

/// Registers the provider as `vercel`.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_environment(PLATFORM, ENV);
    factory.register_configured(PLATFORM, VercelProvider::new);
}
