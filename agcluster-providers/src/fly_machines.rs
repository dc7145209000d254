//! Containers as Fly Machines: virtual machines of their own, through the Machines API.
//!
//! All machines live in one app, or each in an app and a private network of its own ([`AppMode`]). A machine's name follows from session and
//! generation, so that one whose making was never answered is found and taken over. What the platform refuses for want of room is tried
//! in the next region of a list. No more is asked than the platform takes: a token bucket for each action and what it is counted by.
//!
//! Agent servers are reached from anywhere through the app's public host, with a header that names the machine, or by the
//! machine's own address from inside Fly's private network ([`Reach`]).
//!
//! | file | what it knows |
//! |---|---|
//! | `config.rs` | what an operator can set |
//! | `token.rs` | how tokens are written and sent |
//! | `api.rs` | the platform's wire |
//! | `error.rs`, `room.rs` | what its refusals mean |
//! | `guest.rs` | which sizes there are |
//! | `create.rs`, `wait.rs`, `exec.rs` | the longer ways |
//! | `provider.rs` | the trait |
//!
//! Set-up, costs, security and troubleshooting: `docs/providers/fly-machines.md`.

mod api;
mod apps;
mod config;
mod create;
mod error;
mod exec;
mod fresh;
mod guest;
mod provider;
mod room;
mod token;
mod view;
mod wait;

use agcluster_core::provider::ProviderFactory;

pub use config::{
    AppMode, CpuKind, DefaultGuest, ENV, FlyMachinesConfig, Reach, Regions, RequestRate, Timeouts,
};
pub use provider::FlyMachinesProvider;

/// The platform's name.
pub const PLATFORM: &str = "fly_machines";

/// Registers the provider as `fly_machines`.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_environment(PLATFORM, ENV);
    factory.register_configured(PLATFORM, FlyMachinesProvider::new);
}
