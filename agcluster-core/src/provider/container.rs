//! A container as its platform shows it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Labels;

/// The platform's name of a container. Opaque: only the provider that gave it understands it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container as its platform shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its name on the platform.
    pub id: ContainerId,
    /// What it is doing.
    pub state: ContainerState,
    /// Whose it is.
    pub labels: Labels,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When the platform will end it.
    pub expires_at: Option<Timestamp>,
    /// What is less than was asked for, one sentence each; shown to whoever launched it.
    pub warnings: Vec<String>,
}

impl Container {
    /// One whose id is the [name that follows from its labels](Labels::container_name); nothing else is known of it.
    pub fn new(labels: Labels, state: ContainerState) -> Self {
        let id = ContainerId(labels.container_name());
        Self { id, state, labels, created_at: None, expires_at: None, warnings: Vec::new() }
    }
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ContainerState {
    /// Coming up.
    Starting,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Standing still, or ended.
    Stopped {
        /// The exit code of its first process.
        exit_code: Option<i32>,
        /// Why, if the platform knows better than the exit code (out of memory, host lost).
        reason: Option<String>,
    },
    /// Only something of it is left (a workspace volume), which [`destroy`](super::ContainerProvider::destroy) removes.
    Remains,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Processor time used since the start, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory in use, in bytes, without what the kernel could drop.
    pub memory_bytes: u64,
    /// The memory limit, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Processes.
    pub pids: Option<u64>,
    /// Bytes received.
    pub network_received_bytes: u64,
    /// Bytes sent.
    pub network_sent_bytes: u64,
}
