//! What configurations of all platforms have in common.

mod size;

pub(crate) use agcluster_core::provider::invalid_field as invalid;
#[cfg(test)]
pub(crate) use agcluster_core::provider::read_config as read;
pub use size::Size;
