//! Control groups of either version, as a container sees its own.

use std::fs;

use agcluster_protocol::resources::MemoryUse;

const ROOT: &str = "/sys/fs/cgroup";

/// Processor time since the start.
pub(super) fn cpu_micros() -> Option<u64> {
    let second = || field(&text("cpu.stat")?, "usage_usec");
    let first = || Some(number("cpuacct/cpuacct.usage")? / 1000);
    second().or_else(first)
}

/// How many processors may be used at a time.
pub(super) fn cpu_limit() -> Option<f64> {
    let second = || {
        let text = text("cpu.max")?;
        let (quota, period) = text.trim().split_once(' ')?;
        Some((quota.parse().ok()?, period.parse().ok()?))
    };
    let first = || Some((number("cpu/cpu.cfs_quota_us")?, number("cpu/cpu.cfs_period_us")?));
    share(second().or_else(first)?)
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of a tenth of a second")]
fn share((quota, period): (u64, u64)) -> Option<f64> {
    (period > 0).then(|| quota as f64 / period as f64)
}

/// Memory in use, and its limit, which is never more than the machine's.
pub(super) fn memory(machine: Option<u64>) -> Option<MemoryUse> {
    let second = || {
        let droppable = field(&text("memory.stat")?, "inactive_file")?;
        Some((number("memory.current")?, droppable, number("memory.max")))
    };
    let first = || {
        let droppable = field(&text("memory/memory.stat")?, "total_inactive_file")?;
        Some((number("memory/memory.usage_in_bytes")?, droppable, number("memory/memory.limit_in_bytes")))
    };
    let (used, droppable, limit) = second().or_else(first)?;
    let limit_bytes = [limit, machine].into_iter().flatten().min();
    Some(MemoryUse { used_bytes: used.saturating_sub(droppable), limit_bytes })
}

fn text(name: &str) -> Option<String> {
    fs::read_to_string(format!("{ROOT}/{name}")).ok()
}

/// A file that is a number; none when it says `max`, or -1.
fn number(name: &str) -> Option<u64> {
    text(name)?.trim().parse().ok()
}

/// A line of a name and a number.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "usage_usec_x 1\nusage_usec 23\nuser_usec 4\n";
        assert_eq!(field(text, "usage_usec"), Some(23));
        assert_eq!(field(text, "system_usec"), None);
        assert_eq!(share((150_000, 100_000)), Some(1.5));
        assert_eq!(share((1, 0)), None);
    }
}
