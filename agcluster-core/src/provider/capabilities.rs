//! What a platform can do, and what that means there.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Resources;

/// What a provider can do. The conformance suite fails a provider whose capabilities are not true, in either direction.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Capabilities {
    /// How far a container is from its host and its neighbours.
    pub isolation: Isolation,
    /// Which limits the platform enforces, as against merely accepting.
    pub limits: Limits,
    /// How long a container lives.
    pub lifetime: Lifetime,
    /// Whether an image of the user's choice can be used.
    pub custom_image: bool,
    /// Starting a stopped container again.
    pub start: Option<Start>,
    /// Freezing and thawing.
    pub pause: Option<Pause>,
    /// Snapshots.
    pub snapshot: Option<Snapshot>,
    /// Making a container that begins with another one's files.
    pub fork: Option<Fork>,
    /// Output of the container's own streams.
    pub logs: Option<Logs>,
    /// Measuring what a container uses.
    pub stats: bool,
    /// Running commands through the platform.
    pub exec: Option<Exec>,
    /// Files in and out through the platform.
    pub archive: Option<Archive>,
}

impl Capabilities {
    /// What every provider can do, and nothing of what is optional: to begin with, in a struct update.
    pub fn required(isolation: Isolation) -> Self {
        Self {
            isolation,
            limits: Limits::default(),
            lifetime: Lifetime::default(),
            custom_image: false,
            start: None,
            pause: None,
            snapshot: None,
            fork: None,
            logs: None,
            stats: false,
            exec: None,
            archive: None,
        }
    }
}

/// How far a container is from its host and its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Not at all: the agent is a process on this machine, with this machine's files and network.
    None,
    /// A container on a shared kernel.
    Container,
    /// A virtual machine of its own.
    VirtualMachine,
}

/// Which limits are enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "EnforcedLimits")]
pub struct Limits {
    /// Processor time.
    pub cpu: bool,
    /// Memory.
    pub memory: bool,
    /// The number of processes.
    pub pids: bool,
    /// Storage of the workspace.
    pub storage: bool,
}

impl Limits {
    /// A sentence for each limit that was asked for and is not enforced. `why` says what a container is here.
    pub fn warnings(self, asked: Resources, why: &str) -> Vec<String> {
        [
            (asked.cpu_millis, self.cpu, "processor"),
            (asked.memory_bytes, self.memory, "memory"),
            (asked.storage_bytes, self.storage, "storage"),
            (asked.pids, self.pids, "process"),
        ]
        .into_iter()
        .filter(|(asked, enforced, _)| asked.is_some() && !enforced)
        .map(|(_, _, what)| format!("the {what} limit is not enforced: {why}"))
        .collect()
    }
}

/// How long a container lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lifetime {
    /// When the platform ends a container by itself, if nothing else is said.
    #[serde(serialize_with = "seconds", rename = "default_seconds")]
    #[schemars(with = "Option<u64>")]
    pub default: Option<Duration>,
    /// The longest life that can be asked for.
    #[serde(serialize_with = "seconds", rename = "max_seconds")]
    #[schemars(with = "Option<u64>")]
    pub max: Option<Duration>,
    /// Whether a running container's end can be moved.
    pub extendable: bool,
}

/// What starting a stopped container means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanStart")]
pub struct Start {
    /// Whether the workspace is as it was.
    pub keeps_workspace: bool,
}

/// What pausing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanPause")]
pub struct Pause {
    /// Whether processes go on where they were.
    pub keeps_memory: bool,
}

/// What a snapshot means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanSnapshot")]
pub struct Snapshot {
    /// Whether taking one stops the container it is taken of.
    pub stops_source: bool,
    /// Whether processes are in it.
    pub keeps_memory: bool,
}

/// What a fork means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanFork")]
pub struct Fork {
    /// Whether it stops the container it is made of.
    pub stops_source: bool,
}

/// What logs mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanLogs")]
pub struct Logs {
    /// Whether they can be followed.
    pub follow: bool,
}

/// What running a command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanExec")]
pub struct Exec {
    /// The longest a command may run.
    #[serde(serialize_with = "seconds", rename = "max_seconds")]
    #[schemars(with = "Option<u64>")]
    pub max: Option<Duration>,
}

/// What files in and out mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CanArchive")]
pub struct Archive {
    /// Whether a stopped container's files can be had.
    pub while_stopped: bool,
}

fn seconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|duration| duration.as_secs()).serialize(serializer)
}
