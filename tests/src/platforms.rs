//! The platforms that cannot be reached from a build machine, in this machine's own making.

mod agents;
pub mod cloudflare;
pub mod fly_machines;
pub(crate) mod front;
pub mod vercel;
