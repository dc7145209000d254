//! What a container may use: what was asked for, filled up with defaults, as far as the engine can hold it to it.

use agcluster_core::provider::{Error, ErrorKind, Resources, Result};

use super::PLATFORM;
use super::api::EngineLimits;
use super::config::{DefaultLimits, MIN_CPU_MILLIS, MIN_MEMORY};
use crate::Size;

/// The limits of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) cpu_millis: u64,
    pub(super) memory_bytes: u64,
    pub(super) pids: u64,
    /// Only where the engine can bound volumes.
    pub(super) storage_bytes: Option<u64>,
    /// What is less than was asked for.
    pub(super) warnings: Vec<String>,
}

impl Limits {
    /// Refuses what no engine takes.
    pub(super) fn new(asked: Resources, defaults: &DefaultLimits, engine: EngineLimits) -> Result<Self> {
        let cpu_millis = asked.cpu_millis.unwrap_or(defaults.cpu_millis);
        let memory_bytes = asked.memory_bytes.unwrap_or(defaults.memory.get());
        let pids = asked.pids.unwrap_or(defaults.pids);
        let storage = asked.storage_bytes.or(defaults.storage.map(Size::get));
        let invalid = |message: String| Err(Error::new(ErrorKind::Invalid, PLATFORM, "create", message));
        if cpu_millis < MIN_CPU_MILLIS {
            return invalid(format!("cpu_millis is {cpu_millis}: ask for at least {MIN_CPU_MILLIS}"));
        }
        if memory_bytes < MIN_MEMORY {
            return invalid(format!("memory is {}: ask for at least 6m", Size::bytes(memory_bytes)));
        }
        if pids == 0 {
            return invalid("pids is 0: ask for at least 1".to_owned());
        }
        if storage == Some(0) {
            return invalid("storage is 0: ask for at least 1 byte".to_owned());
        }
        let mut warnings = Vec::new();
        if let Some(bytes) = storage.filter(|_| !engine.storage) {
            warnings.push(format!(
                "the storage limit of {} is not enforced: this engine cannot bound a volume (it needs xfs or ext4 with project quotas under its data folder)",
                Size::bytes(bytes)
            ));
        }
        for (enforced, what) in [
            (engine.cpu, "processor"),
            (engine.memory, "memory"),
            (engine.swap || !engine.memory, "swap"),
            (engine.pids, "process"),
        ] {
            if !enforced {
                warnings.push(format!("the {what} limit is not enforced: this engine's kernel cannot"));
            }
        }
        let storage_bytes = storage.filter(|_| engine.storage);
        Ok(Self { cpu_millis, memory_bytes, pids, storage_bytes, warnings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: EngineLimits = EngineLimits { cpu: true, memory: true, swap: true, pids: true, storage: true };

    fn limits(asked: Resources, engine: EngineLimits) -> Result<Limits> {
        Limits::new(asked, &DefaultLimits::default(), engine)
    }

    #[test]
    fn nothing_asked_is_the_defaults_and_never_no_limit() {
        let limits = limits(Resources::default(), ALL).unwrap();
        assert_eq!((limits.cpu_millis, limits.memory_bytes, limits.pids), (2000, 4 << 30, 512));
        assert_eq!((limits.storage_bytes, limits.warnings), (None, vec![]));
    }

    #[test]
    fn storage_that_cannot_be_bounded_is_left_out_with_a_warning() {
        let asked = Resources { storage_bytes: Some(10 << 30), ..Resources::default() };
        let bounded = limits(asked, ALL).unwrap();
        assert_eq!((bounded.storage_bytes, bounded.warnings.len()), (Some(10 << 30), 0));
        let unbounded = limits(asked, EngineLimits { storage: false, ..ALL }).unwrap();
        assert_eq!(unbounded.storage_bytes, None);
        assert!(unbounded.warnings[0].starts_with("the storage limit of 10g is not enforced"));
    }

    #[test]
    fn an_engine_that_limits_nothing_is_said_to() {
        let none = EngineLimits { cpu: false, memory: false, swap: false, pids: false, storage: false };
        assert_eq!(limits(Resources::default(), none).unwrap().warnings.len(), 3);
    }

    #[test]
    fn what_no_engine_takes_is_refused_before_it_is_asked() {
        for asked in [
            Resources { memory_bytes: Some(1), ..Resources::default() },
            Resources { cpu_millis: Some(1), ..Resources::default() },
            Resources { pids: Some(0), ..Resources::default() },
            Resources { storage_bytes: Some(0), ..Resources::default() },
        ] {
            assert_eq!(limits(asked, ALL).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
