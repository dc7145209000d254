//! What can be set.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How much the platform holds. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Containers at a time; one more is refused as
    /// [`ErrorKind::Capacity`](agcluster_core::provider::ErrorKind::Capacity).
    pub max_containers: usize,
    /// The folder in which workspaces are made; one of its own where temporary files go when absent.
    pub workspaces: Option<PathBuf>,
}

impl Default for MemoryConfig {
    /// 100,000 containers, and a folder of its own.
    fn default() -> Self {
        Self { max_containers: 100_000, workspaces: None }
    }
}
