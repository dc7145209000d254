//! Any coding agent, in any sandbox, behind one trait.
//!
//! * [`provider`]: containers on a platform, behind [`provider::ContainerProvider`];
//! * [`layers`]: retries, time-outs, limits and failover: providers around providers;
//! * [`agent`]: the client of the agent server that runs in every container;
//! * [`session`]: one agent in one container each, from launch to removal;
//! * [`workspace`]: files, git, terminals and commands in a session's container;
//! * [`journal`]: everything that happened in a session, numbered without gaps;
//! * [`measure`]: the numbers that are given out.
//!
//! `examples/embed.rs` launches an agent, chats with it and stops it.

pub mod agent;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hex;
pub mod journal;
pub mod layers;
pub mod measure;
pub mod provider;
pub mod session;
pub mod store;
pub mod workspace;

pub use agcluster_protocol as protocol;

use hex::hex;
