//! Any coding agent, in any sandbox, behind one trait.

pub mod provider;

pub use agcluster_protocol as protocol;
