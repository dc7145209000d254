//! Containers on a Docker or Podman engine.
//!
//! Hardened whatever is asked for: the agent is no root, the root file system is read-only, all capabilities but the four that
//! switching to the agent's user takes are dropped, no-new-privileges and the engine's seccomp profile hold, processor, memory
//! and processes are always limited, logs are rotated, and containers cannot reach each other.
//!
//! A session's workspace is a named volume of its own. It outlives the container when asked to, so that the session's
//! next generation finds it.
//!
//! | file | what it knows |
//! |---|---|
//! | `config.rs` | what an operator can set |
//! | `host.rs` | where the engine is |
//! | `api.rs` | the engine's wire |
//! | `error.rs` | what its refusals mean |
//! | `provider.rs` | the trait |
//!
//! Set-up, security and troubleshooting: `docs/providers/docker.md`.

mod api;
mod config;
mod connection;
mod create;
mod destroy;
mod error;
mod host;
mod image;
mod inject;
mod limits;
mod names;
mod network;
mod provider;
mod view;

use agcluster_core::provider::ProviderFactory;

pub use config::{DefaultLimits, DockerConfig, LogRotation, Reach, Timeouts, TmpfsSizes};
pub use provider::DockerProvider;

/// The platform's name.
pub const PLATFORM: &str = "docker";

/// Where the workspace is in a container.
const WORKSPACE: &str = "/workspace";
/// Where an injected agent server is in a container.
const AGENT_FOLDER: &str = "/.agcluster";
/// An injected agent server.
const AGENT_PROGRAM: &str = "/.agcluster/agcluster-agent";
/// The label of images that have an agent server of their own.
const AGENT_VERSION_LABEL: &str = "agcluster.agent.version";
/// The user that the agent server runs the agent as.
const AGENT_UID: u32 = 1000;
/// That user's only group.
const AGENT_GID: u32 = 1000;

/// Registers the provider as `docker`.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_configured(PLATFORM, DockerProvider::new);
}
