//! What can be read at one moment.

use std::path::Path;

use agcluster_protocol::resources::{DiskUse, Measured, MemoryUse};
use rustix::fs::statvfs;

use super::{cgroup, machine, tree};

/// What can be read at one moment.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Processor time since the start.
    pub(super) cpu_micros: Option<u64>,
    pub(super) cpu_limit: Option<f64>,
    pub(super) memory: Option<MemoryUse>,
    pub(super) disk: Option<DiskUse>,
    /// Bytes received and sent since the start.
    pub(super) network: Option<(u64, u64)>,
    pub(super) processes: Option<u64>,
}

impl Reading {
    pub(super) fn take(measured: Measured, workspace: &Path) -> Self {
        let reading = match measured {
            Measured::Container => container(),
            Measured::ProcessTree => tree::read(),
            Measured::Nothing => Self::default(),
        };
        Self { disk: disk(workspace), ..reading }
    }
}

/// A container has control groups of its own. A virtual machine is one itself, and its groups may say less.
fn container() -> Reading {
    let total = machine::memory();
    let memory = cgroup::memory(total.map(|memory| memory.0))
        .or_else(|| total.map(|(total, used)| MemoryUse { used_bytes: used, limit_bytes: Some(total) }));
    Reading {
        cpu_micros: cgroup::cpu_micros().or_else(machine::cpu_micros),
        cpu_limit: cgroup::cpu_limit(),
        memory,
        disk: None,
        network: machine::network(),
        processes: machine::processes(),
    }
}

fn disk(workspace: &Path) -> Option<DiskUse> {
    let found = statvfs(workspace).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(DiskUse {
        used_bytes: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
        total_bytes: bytes(found.f_blocks),
        free_bytes: bytes(found.f_bavail),
    })
}
