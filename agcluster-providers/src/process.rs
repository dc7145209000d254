//! Containers that are child processes of this machine, for development. They isolate nothing: the agent has this machine's
//! files and network, and no limit holds.
//!
//! Each container is an agent server in a process group of its own, which listens on a Unix socket in a folder that only
//! this user may enter. What is known of it stands in files, so that another provider over the same folder finds and ends it
//! after this one was killed.
//!
//! | file | what it knows |
//! |---|---|
//! | `config.rs` | what an operator can set |
//! | `layout.rs` | which files there are |
//! | `record.rs` | what is written down of a container |
//! | `proc_fs.rs`, `identity.rs`, `tree.rs` | processes, and how to tell one from a later one of its number |
//! | `provider.rs` | the trait |
//!
//! Set-up and troubleshooting: `docs/providers/process.md`.

mod config;
mod error;
mod identity;
mod layout;
mod lock;
mod logs;
mod proc_fs;
mod provider;
mod record;
mod spawn;
mod tree;

use agcluster_core::provider::ProviderFactory;

pub use config::{AgentUser, ProcessConfig};
pub use provider::ProcessProvider;

/// The platform's name.
pub const PLATFORM: &str = "process";

/// Registers the provider as `process`.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_configured(PLATFORM, ProcessProvider::new);
}
