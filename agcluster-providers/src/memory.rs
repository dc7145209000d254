//! Containers that are tasks of this process: the reference of how a provider behaves, and a test double.
//!
//! Each container is a real agent server, reached over an in-memory pipe. It knows the scripted agent only in the sense that
//! nothing keeps another one from running on this machine: do not configure it for anything else. Containers cost
//! a few kilobytes and share the process's life.
//!
//! Tests reach behind it with [`MemoryProvider::fail_next`], [`MemoryProvider::crash`] and
//! [`MemoryProvider::refuse_connections`].

mod config;
mod container;
mod dial;
mod provider;
mod world;

use agcluster_core::provider::ProviderFactory;

pub use config::MemoryConfig;
pub use provider::MemoryProvider;

/// The platform's name.
pub const PLATFORM: &str = "memory";

/// Registers the provider as `memory`. Each one that is made is a platform of its own, with no containers.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_configured(PLATFORM, |config| Ok(MemoryProvider::new(config)));
}
