//! The request that creates a container: hardened, whatever was asked for.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use agcluster_core::protocol::AGENT_PORT;
use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions,
    MountVolumeOptionsDriverConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};

use super::super::config::{LogRotation, TmpfsSizes};
use super::super::{AGENT_FOLDER, AGENT_GID, AGENT_PROGRAM, AGENT_UID, WORKSPACE};

/// All that the agent server needs as root: to run the agent as another user, to give that user its files, and to end
/// its processes. The agent itself gets none of these, for it is not root and no-new-privileges holds.
const CAPABILITIES: [&str; 4] = ["CHOWN", "KILL", "SETGID", "SETUID"];

/// Everything that decides how a container is made.
#[derive(Debug, Clone)]
pub(in super::super) struct ContainerPlan {
    pub(in super::super) image: String,
    pub(in super::super) env: BTreeMap<String, String>,
    pub(in super::super) labels: BTreeMap<String, String>,
    /// The volume at `/workspace`; made together with the container when it is not there.
    pub(in super::super) workspace_volume: String,
    pub(in super::super) network: String,
    pub(in super::super) published: Option<Published>,
    pub(in super::super) injected: Option<Injected>,
    pub(in super::super) cpu_millis: u64,
    pub(in super::super) memory_bytes: u64,
    pub(in super::super) pids: u64,
    /// Only where the engine can bound volumes.
    pub(in super::super) storage_bytes: Option<u64>,
    pub(in super::super) tmpfs: TmpfsSizes,
    /// Whether the engine can give a folder in memory to a user. Otherwise the agent server does, when it is configured.
    pub(in super::super) owned_tmpfs: bool,
    pub(in super::super) log: LogRotation,
}

/// The agent server's port is published here, under a number the engine chooses.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Published {
    pub(in super::super) address: IpAddr,
}

/// The agent server comes from this volume and not from the image.
#[derive(Debug, Clone)]
pub(in super::super) struct Injected {
    pub(in super::super) volume: String,
}

impl ContainerPlan {
    /// The request.
    pub(super) fn body(&self) -> ContainerCreateBody {
        let port = format!("{AGENT_PORT}/tcp");
        ContainerCreateBody {
            image: Some(self.image.clone()),
            // The agent server needs root to switch to the agent's user, whatever user the image prefers.
            user: Some("0:0".to_owned()),
            working_dir: Some(WORKSPACE.to_owned()),
            entrypoint: self.injected.as_ref().map(|_| vec![AGENT_PROGRAM.to_owned()]),
            cmd: self.injected.as_ref().map(|_| Vec::new()),
            env: Some(self.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            labels: Some(self.labels.clone().into_iter().collect()),
            stop_signal: Some("SIGTERM".to_owned()),
            exposed_ports: self.published.map(|_| vec![port]),
            host_config: Some(self.host_config()),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self) -> HostConfig {
        HostConfig {
            network_mode: Some(self.network.clone()),
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
            port_bindings: self.published.map(bindings),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.map(str::to_owned).to_vec()),
            // seccomp and AppArmor stay at the engine's defaults by not being named.
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            privileged: Some(false),
            readonly_rootfs: Some(true),
            tmpfs: Some(self.tmpfs()),
            mounts: Some(self.mounts()),
            // As period and quota: an engine refuses `NanoCpus` above its own number of processors.
            cpu_period: Some(CPU_PERIOD_MICROS),
            cpu_quota: Some(clamped(self.cpu_millis * CPU_PERIOD_MICROS.unsigned_abs() / 1000)),
            memory: Some(clamped(self.memory_bytes)),
            memory_swap: Some(clamped(self.memory_bytes)),
            pids_limit: Some(clamped(self.pids)),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), self.log.max_size.to_string()),
                    ("max-file".to_owned(), self.log.max_files.to_string()),
                ])),
            }),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..HostConfig::default()
        }
    }

    /// The writable folders beside the workspace. Programs may run from `/tmp` and home, because agents build and run there.
    fn tmpfs(&self) -> HashMap<String, String> {
        let options =
            |exec: &str, size: u64, owner: &str| format!("rw,{exec},nosuid,nodev,size={size},{owner}");
        let owner =
            if self.owned_tmpfs { format!(",uid={AGENT_UID},gid={AGENT_GID}") } else { String::new() };
        let home = format!("mode=0700{owner}");
        let sizes = &self.tmpfs;
        HashMap::from([
            ("/tmp".to_owned(), options("exec", sizes.tmp.get(), "mode=1777")),
            ("/var/tmp".to_owned(), options("noexec", sizes.var_tmp.get(), "mode=1777")),
            ("/run".to_owned(), options("noexec", sizes.run.get(), "mode=0755")),
            ("/home/agent".to_owned(), options("exec", sizes.home.get(), &home)),
        ])
    }

    fn mounts(&self) -> Vec<Mount> {
        let size = self.storage_bytes.map(|bytes| MountVolumeOptionsDriverConfig {
            name: Some("local".to_owned()),
            options: Some(HashMap::from([("size".to_owned(), bytes.to_string())])),
        });
        let workspace = Mount {
            target: Some(WORKSPACE.to_owned()),
            source: Some(self.workspace_volume.clone()),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions {
                labels: Some(self.labels.clone().into_iter().collect()),
                driver_config: size,
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        };
        let agent = self.injected.as_ref().map(|injected| agent_mount(&injected.volume, true));
        std::iter::once(workspace).chain(agent).collect()
    }
}

/// The agent server's volume; writable only while it is being filled.
pub(super) fn agent_mount(volume: &str, read_only: bool) -> Mount {
    Mount {
        target: Some(AGENT_FOLDER.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(HashMap::from([("agcluster.agent-server".to_owned(), "true".to_owned())])),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

const CPU_PERIOD_MICROS: i64 = 100_000;

fn bindings(published: Published) -> HashMap<String, Option<Vec<PortBinding>>> {
    let binding =
        PortBinding { host_ip: Some(published.address.to_string()), host_port: Some(String::new()) };
    HashMap::from([(format!("{AGENT_PORT}/tcp"), Some(vec![binding]))])
}

fn clamped(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
