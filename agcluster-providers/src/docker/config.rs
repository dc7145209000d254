//! What an operator can set.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use agcluster_core::provider::{Result, invalid_field as invalid};
use serde::{Deserialize, Serialize};

use super::PLATFORM;
use super::host::Host;
use crate::Size;

/// How to reach a Docker engine and how its containers are made. Every field has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DockerConfig {
    /// The engine: `unix:///path`, `tcp://host:port`, `http://host:port` or `https://host:port`. Absent, it is found as the `docker` command
    /// finds it.
    pub host: Option<String>,
    /// The image of containers that name none.
    pub image: String,
    /// The network that containers are put into. Made when it is absent, with traffic between containers shut off.
    pub network: String,
    /// How the agent server in a container is reached.
    pub reach: Reach,
    /// Where ports are published when `reach` comes to [`Reach::PublishedPort`].
    pub publish_address: IpAddr,
    /// Limits of containers that name none. A container is never without limits.
    pub limits: DefaultLimits,
    /// Sizes of the writable folders that live in memory.
    pub tmpfs: TmpfsSizes,
    /// How much output of a container's own streams is kept.
    pub log: LogRotation,
    /// The agent server to put into images that have none. It must be statically linked.
    pub agent_binary: Option<PathBuf>,
    /// How long the engine may take.
    pub timeouts: Timeouts,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            host: None,
            image: "agcluster/agent:latest".to_owned(),
            network: "agcluster".to_owned(),
            reach: Reach::default(),
            publish_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            limits: DefaultLimits::default(),
            tmpfs: TmpfsSizes::default(),
            log: LogRotation::default(),
            agent_binary: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// How the agent server in a container is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// By the container's own address where the engine is a rootful Linux one behind a Unix socket, else by a published port.
    #[default]
    Auto,
    /// By the container's own address; nothing is published. This process must run on the engine's machine.
    ContainerIp,
    /// By a port that the engine publishes at [`DockerConfig::publish_address`] and chooses itself.
    PublishedPort,
}

/// Limits of containers that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultLimits {
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory; there is no swap beyond it.
    pub memory: Size,
    /// Processes and threads.
    pub pids: u64,
    /// Workspace. Absent, it is bounded by the engine's disk only.
    pub storage: Option<Size>,
}

impl Default for DefaultLimits {
    /// Two processors, 4 GiB, 512 processes.
    fn default() -> Self {
        Self { cpu_millis: 2000, memory: Size::mib(4096), pids: 512, storage: None }
    }
}

/// Sizes of the writable folders that live in memory. What they hold counts as the container's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TmpfsSizes {
    /// `/tmp`.
    pub tmp: Size,
    /// `/home/agent`, the agent's home.
    pub home: Size,
    /// `/run`.
    pub run: Size,
    /// `/var/tmp`.
    pub var_tmp: Size,
}

impl Default for TmpfsSizes {
    /// 1 GiB each for `/tmp` and home, which builds fill, and 64 MiB each for the others.
    fn default() -> Self {
        Self { tmp: Size::mib(1024), home: Size::mib(1024), run: Size::mib(64), var_tmp: Size::mib(64) }
    }
}

/// How much output of a container's own streams is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogRotation {
    /// One file.
    pub max_size: Size,
    /// Files.
    pub max_files: u32,
}

impl Default for LogRotation {
    /// Three files of 10 MiB.
    fn default() -> Self {
        Self { max_size: Size::mib(10), max_files: 3 }
    }
}

/// How long the engine may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To answer that it is there.
    pub probe_seconds: u64,
    /// For one ordinary call, and for another process to put the agent server into a volume.
    pub call_seconds: u64,
    /// To create, start or remove one container.
    pub change_seconds: u64,
    /// Between two pieces of an archive, and for a whole archive that goes in.
    pub archive_seconds: u64,
}

impl Default for Timeouts {
    /// 5 s, 30 s, 120 s and 600 s.
    fn default() -> Self {
        Self { probe_seconds: 5, call_seconds: 30, change_seconds: 120, archive_seconds: 600 }
    }
}

impl Timeouts {
    pub(super) fn probe(self) -> Duration {
        Duration::from_secs(self.probe_seconds)
    }

    pub(super) fn call(self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    pub(super) fn change(self) -> Duration {
        Duration::from_secs(self.change_seconds)
    }

    pub(super) fn archive(self) -> Duration {
        Duration::from_secs(self.archive_seconds)
    }
}

/// The least memory the engine takes.
pub(super) const MIN_MEMORY: u64 = 6 << 20;
/// The least share of a processor the kernel can measure.
pub(super) const MIN_CPU_MILLIS: u64 = 10;

impl DockerConfig {
    /// Refuses what cannot work on any engine.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path.
    pub fn validate(&self) -> Result<()> {
        let check =
            |fine: bool, field, reason| if fine { Ok(()) } else { Err(invalid(PLATFORM, field, reason)) };
        if let Some(host) = &self.host {
            Host::parse(host, None).map_err(|reason| invalid(PLATFORM, "host", &reason))?;
        }
        check(!self.image.trim().is_empty(), "image", "name an image")?;
        let network = self.network.as_str();
        let named =
            !network.is_empty() && !matches!(network, "host" | "none") && !network.starts_with("container:");
        check(named, "network", "name a bridge network: with host or none no container can be told apart")?;
        check(self.limits.cpu_millis >= MIN_CPU_MILLIS, "limits.cpu_millis", "at least 10")?;
        check(self.limits.memory.get() >= MIN_MEMORY, "limits.memory", "at least 6m")?;
        check(self.limits.pids > 0, "limits.pids", "at least 1")?;
        check(self.log.max_files > 0, "log.max_files", "at least 1")?;
        for (seconds, field) in [
            (self.timeouts.probe_seconds, "timeouts.probe_seconds"),
            (self.timeouts.call_seconds, "timeouts.call_seconds"),
            (self.timeouts.change_seconds, "timeouts.change_seconds"),
            (self.timeouts.archive_seconds, "timeouts.archive_seconds"),
        ] {
            check((1..=86_400).contains(&seconds), field, "between 1 and 86400 seconds")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use agcluster_core::provider::ErrorKind;
    use serde_json::json;

    use super::*;

    fn refused(config: serde_json::Value) -> String {
        let error = agcluster_core::provider::read_config::<DockerConfig>(PLATFORM, config)
            .and_then(|config| config.validate())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.message().to_owned()
    }

    #[test]
    fn the_defaults_are_valid() {
        assert!(DockerConfig::default().validate().is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused_by_field() {
        assert!(refused(json!({"host": "ssh://me@there"})).starts_with("host: "));
        assert!(refused(json!({"network": "host"})).starts_with("network: "));
        assert!(refused(json!({"limits": {"memory": "1m"}})).starts_with("limits.memory: "));
        assert!(refused(json!({"limits": {"cpu_millis": 0}})).starts_with("limits.cpu_millis: "));
        assert!(refused(json!({"timeouts": {"call_seconds": 0}})).starts_with("timeouts.call_seconds: "));
        assert!(refused(json!({"reach": "telepathy"})).starts_with("reach: "));
        assert!(refused(json!({"imgae": "x"})).starts_with("imgae: "));
    }

    #[test]
    fn a_part_can_be_set_alone() {
        let config: DockerConfig =
            agcluster_core::provider::read_config(PLATFORM, json!({"limits": {"memory": "512m"}})).unwrap();
        assert_eq!(
            config.limits,
            DefaultLimits { memory: Size::mib(512), cpu_millis: 2000, pids: 512, storage: None }
        );
    }
}
