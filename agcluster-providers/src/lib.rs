//! Container providers, one cargo feature each:
//!
//! | feature | platform | what a container is |
//! |---|---|---|
//! | `docker` | `docker` | a hardened container on a Docker or Podman engine |
//! | `process` | `process` | a child process on this machine, for development: it isolates nothing |
//! | `memory` | `memory` | a task in this process with the scripted agent, for tests and demonstrations |
//! | `fly_machines` | `fly_machines` | a Fly Machine: a virtual machine of its own |
//! | `vercel` | `vercel` | a sandbox of Vercel |
//! | `cloudflare` | `cloudflare` | a Cloudflare Container, behind a gateway Worker of the user's own |
//!
//! [`register_all`] makes those that were compiled in known to a factory, which then makes them by name.

#![cfg_attr(
    not(any(
        feature = "docker",
        feature = "process",
        feature = "memory",
        feature = "fly_machines",
        feature = "vercel",
        feature = "cloudflare"
    )),
    allow(dead_code, reason = "without any provider there is nothing to share")
)]

mod config;
#[cfg_attr(
    not(any(feature = "docker", feature = "process")),
    allow(dead_code, reason = "not every platform has workspaces that outlive containers")
)]
mod name;

#[cfg(feature = "cloudflare")]
pub mod cloudflare;
#[cfg(feature = "docker")]
pub mod docker;
#[cfg(feature = "fly_machines")]
pub mod fly_machines;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "vercel")]
pub mod vercel;

use agcluster_core::provider::ProviderFactory;

pub use config::Size;

/// Registers every provider that was compiled in, under its platform's name.
///
/// Making one of them by name reads its configuration strictly: an unknown or malformed field is
/// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path in the message, and `null`
/// stands for the defaults. None of them contacts its platform before the first call, so a server starts without it.
pub fn register_all(factory: &mut ProviderFactory) {
    #[cfg(feature = "docker")]
    docker::register(factory);
    #[cfg(feature = "process")]
    process::register(factory);
    #[cfg(feature = "memory")]
    memory::register(factory);
    #[cfg(feature = "fly_machines")]
    fly_machines::register(factory);
    #[cfg(feature = "vercel")]
    vercel::register(factory);
    #[cfg(feature = "cloudflare")]
    cloudflare::register(factory);
    #[cfg(not(any(
        feature = "docker",
        feature = "process",
        feature = "memory",
        feature = "fly_machines",
        feature = "vercel",
        feature = "cloudflare"
    )))]
    let _ = factory;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_is_registered_under_its_own_name() {
        let mut factory = ProviderFactory::new();
        register_all(&mut factory);
        assert_eq!(
            factory.platforms(),
            ["cloudflare", "docker", "fly_machines", "memory", "process", "vercel"]
        );
    }
}
