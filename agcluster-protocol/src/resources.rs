//! What a container uses, and what the agent program has in its environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer of `GET /resources`. What is not measured is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceUse {
    /// Of what this is.
    pub measured: Measured,
    /// Processor time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuUse>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryUse>,
    /// The file system of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskUse>,
    /// The network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkUse>,
    /// Processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The whole container or virtual machine, and nothing else.
    Container,
    /// The agent server with everything below it, on a machine that it shares.
    ProcessTree,
    /// Nothing: the agent server is part of another process.
    #[default]
    Nothing,
}

/// Processor time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CpuUse {
    /// Of one processor, in the last seconds: two busy ones are 200.
    pub percent: f64,
    /// How many processors there are.
    pub count: u32,
    /// How many of them may be used at a time, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// Memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// In use, without what the kernel could drop.
    pub used_bytes: u64,
    /// The most that may be used, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    /// In use, by whomever.
    pub used_bytes: u64,
    /// Altogether.
    pub total_bytes: u64,
    /// What this user can still use.
    pub free_bytes: u64,
}

/// The network, without the connections of the container with itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetworkUse {
    /// Since the start.
    pub received_bytes: u64,
    /// Since the start.
    pub sent_bytes: u64,
    /// In the last seconds.
    pub received_per_second: f64,
    /// In the last seconds.
    pub sent_per_second: f64,
}

/// The answer of `GET /environment`: which variables there are, never what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentNames {
    /// Whether the agent program has a variable of that name, for each that was asked for.
    pub present: BTreeMap<String, bool>,
}
