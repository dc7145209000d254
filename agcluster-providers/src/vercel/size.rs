//! What a container is measured in: whole processors, each with 2 GiB of memory.

use agcluster_core::provider::{ErrorKind, Resources, Result};

use super::config::VercelConfig;
use super::{PLATFORM, error};

const MEMORY_OF_ONE: u64 = 2 << 30;

/// A machine's size, and what is less exact than was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) vcpus: u32,
    pub(super) warnings: Vec<String>,
}

impl Size {
    /// The smallest machine that has what is asked for.
    pub(super) fn of(asked: Resources, config: &VercelConfig) -> Result<Self> {
        let by_cpu = asked.cpu_millis.map(|millis| millis.div_ceil(1000));
        let by_memory = asked.memory_bytes.map(|bytes| bytes.div_ceil(MEMORY_OF_ONE));
        let needed = by_cpu.max(by_memory).map_or(u64::from(config.vcpus), |needed| needed.max(1));
        let Some(vcpus) = u32::try_from(needed).ok().filter(|vcpus| *vcpus <= config.max_vcpus) else {
            let message = format!(
                "the limits take {needed} processors with 2 GiB each, and at most {} may be had: ask for less, or raise max_vcpus",
                config.max_vcpus
            );
            return Err(error::plain(ErrorKind::Invalid, "create", message));
        };
        let mut warnings = Vec::new();
        let has = format!("{PLATFORM} machines have whole processors with 2 GiB each, this one {vcpus}");
        if asked.cpu_millis.is_some_and(|millis| millis != u64::from(vcpus) * 1000) {
            warnings.push(format!("the processor limit is not held exactly: {has}"));
        }
        if asked.memory_bytes.is_some_and(|bytes| bytes != u64::from(vcpus) * MEMORY_OF_ONE) {
            warnings.push(format!("the memory limit is not held exactly: {has}"));
        }
        for (given, what) in
            [(asked.storage_bytes, "size of the workspace"), (asked.pids, "number of processes")]
        {
            if given.is_some() {
                warnings.push(format!("the {what} is not limited: {PLATFORM} cannot"));
            }
        }
        Ok(Self { vcpus, warnings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vcpus(cpu_millis: Option<u64>, memory_bytes: Option<u64>) -> Option<u32> {
        let asked = Resources { cpu_millis, memory_bytes, ..Resources::default() };
        Size::of(asked, &VercelConfig::default()).ok().map(|size| size.vcpus)
    }

    #[test]
    fn is_the_smallest_that_is_enough() {
        assert_eq!(vcpus(None, None), Some(2));
        assert_eq!(vcpus(Some(500), None), Some(1));
        assert_eq!(vcpus(Some(2001), Some(1)), Some(3));
        assert_eq!(vcpus(Some(1000), Some(4 << 30)), Some(2));
        assert_eq!(vcpus(None, Some((16 << 30) + 1)), None);
        assert_eq!(vcpus(Some(u64::MAX), None), None);
    }

    #[test]
    fn what_is_not_held_is_said() {
        let all =
            Resources { cpu_millis: Some(500), memory_bytes: Some(1), storage_bytes: Some(1), pids: Some(1) };
        assert_eq!(Size::of(all, &VercelConfig::default()).unwrap().warnings.len(), 4);
        let exact = Resources { cpu_millis: Some(1000), ..Resources::default() };
        assert!(Size::of(exact, &VercelConfig::default()).unwrap().warnings.is_empty());
    }
}
