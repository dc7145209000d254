//! Which sizes of machines there are, and which one holds what was asked for.

use agcluster_core::provider::{Error, ErrorKind, Resources, Result};

use super::PLATFORM;
use super::config::{CpuKind, DefaultGuest};
use crate::Size;

/// Memory comes in steps of so many mebibytes.
const STEP_MB: u64 = 256;

/// The most memory with which a machine can be suspended, in mebibytes.
pub(super) const SUSPENDABLE_MB: u64 = 2048;

/// The size of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) kind: CpuKind,
    pub(super) cpus: u64,
    pub(super) memory_mb: u64,
    /// Where it differs from what was asked for.
    pub(super) warnings: Vec<String>,
}

impl CpuKind {
    /// As the platform says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Performance => "performance",
        }
    }

    /// How many processors a machine can have.
    fn counts(self) -> &'static [u64] {
        match self {
            Self::Shared => &[1, 2, 4, 6, 8],
            Self::Performance => &[1, 2, 4, 6, 8, 10, 12, 14, 16],
        }
    }

    /// The least and the most memory for each processor, in mebibytes.
    fn memory(self) -> (u64, u64) {
        match self {
            Self::Shared => (256, 2048),
            Self::Performance => (2048, 8192),
        }
    }
}

impl Guest {
    /// The smallest size that holds what was asked for.
    pub(super) fn new(asked: Resources, defaults: &DefaultGuest) -> Result<Self> {
        let kind = defaults.cpu_kind;
        let (least, most) = kind.memory();
        let cpu_millis = asked.cpu_millis.unwrap_or(defaults.cpu_millis).max(1);
        let memory = asked.memory_bytes.unwrap_or(defaults.memory.get());
        let wanted_mb = memory.div_ceil(STEP_MB << 20).max(1) * STEP_MB;
        let enough = |cpus: &u64| cpus * 1000 >= cpu_millis && cpus * most >= wanted_mb;
        let Some(&cpus) = kind.counts().iter().find(|cpus| enough(cpus)) else {
            return Err(too_large(kind, cpu_millis, memory));
        };
        let memory_mb = wanted_mb.max(cpus * least);
        let mut warnings = Vec::new();
        if cpus * 1000 != cpu_millis {
            warnings.push(format!(
                "the machine has {cpus} {} processors for the {cpu_millis} thousandths that were asked for: Fly has whole ones, and more of them with more memory",
                kind.name()
            ));
        }
        if memory_mb << 20 != memory {
            warnings.push(format!(
                "the machine has {} of memory for the {} that were asked for: Fly has steps of {STEP_MB}m, from {least}m for each processor",
                Size::mib(memory_mb),
                Size::bytes(memory),
            ));
        }
        if let Some(bytes) = asked.storage_bytes {
            let size = Size::bytes(bytes);
            warnings.push(format!(
                "the storage limit of {size} is not enforced: Fly sizes root file systems itself"
            ));
        }
        if let Some(pids) = asked.pids {
            warnings.push(format!("the limit of {pids} processes is not enforced: a machine has none"));
        }
        Ok(Self { kind, cpus, memory_mb, warnings })
    }
}

fn too_large(kind: CpuKind, cpu_millis: u64, memory: u64) -> Error {
    let cpus = kind.counts().last().copied().unwrap_or(1);
    let size = Size::mib(cpus * kind.memory().1);
    let more = match kind {
        CpuKind::Shared => ", or set guest.cpu_kind to performance",
        CpuKind::Performance => "",
    };
    let message = format!(
        "{cpu_millis} thousandths of a processor with {} of memory is more than the largest {} machine of {cpus} with {size}: ask for less{more}",
        Size::bytes(memory),
        kind.name(),
    );
    Error::new(ErrorKind::Invalid, PLATFORM, "create", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guest(kind: CpuKind, cpu_millis: u64, memory_mb: u64) -> Result<Guest> {
        let asked = Resources {
            cpu_millis: Some(cpu_millis),
            memory_bytes: Some(memory_mb << 20),
            ..Resources::default()
        };
        Guest::new(asked, &DefaultGuest { cpu_kind: kind, ..DefaultGuest::default() })
    }

    #[test]
    fn the_smallest_size_that_holds_it_is_taken() {
        use CpuKind::{Performance, Shared};
        for (kind, cpu_millis, memory_mb, cpus, got_mb, warnings) in [
            (Shared, 1000, 256, 1, 256, 0),
            (Shared, 2000, 4096, 2, 4096, 0),
            (Shared, 500, 256, 1, 256, 1),
            (Shared, 1000, 300, 1, 512, 1),
            (Shared, 1000, 4096, 2, 4096, 1),
            (Shared, 3000, 256, 4, 1024, 2),
            (Shared, 8000, 16384, 8, 16384, 0),
            (Performance, 1000, 2048, 1, 2048, 0),
            (Performance, 1000, 256, 1, 2048, 1),
            (Performance, 16_000, 131_072, 16, 131_072, 0),
        ] {
            let guest = guest(kind, cpu_millis, memory_mb).unwrap();
            assert_eq!((guest.cpus, guest.memory_mb), (cpus, got_mb), "{cpu_millis} {memory_mb}");
            assert_eq!(guest.warnings.len(), warnings, "{:?}", guest.warnings);
        }
    }

    #[test]
    fn what_is_too_large_is_refused_with_the_way_out() {
        for (cpu_millis, memory_mb) in [(8001, 256), (1000, 16_385)] {
            let error = guest(CpuKind::Shared, cpu_millis, memory_mb).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains("guest.cpu_kind to performance"), "{error}");
        }
        assert!(guest(CpuKind::Performance, 1000, 131_073).is_err());
    }

    #[test]
    fn what_the_platform_does_not_limit_is_said() {
        let asked = Resources { storage_bytes: Some(1 << 30), pids: Some(100), ..Resources::default() };
        assert_eq!(Guest::new(asked, &DefaultGuest::default()).unwrap().warnings.len(), 2);
        assert!(Guest::new(Resources::default(), &DefaultGuest::default()).unwrap().warnings.is_empty());
    }

    proptest! {
        /// Whatever is asked for, the size is one that the platform has, and holds it.
        #[test]
        fn a_size_is_within_the_bounds(millis in 0_u64..20_000, bytes in 1_u64..200 << 30, performance: bool) {
            let kind = if performance { CpuKind::Performance } else { CpuKind::Shared };
            let asked = Resources { cpu_millis: Some(millis), memory_bytes: Some(bytes), ..Resources::default() };
            let guest = Guest::new(asked, &DefaultGuest { cpu_kind: kind, ..DefaultGuest::default() });
            if let Ok(guest) = guest {
                let (least, most) = kind.memory();
                prop_assert!(kind.counts().contains(&guest.cpus) && guest.cpus * 1000 >= millis);
                prop_assert!((guest.cpus * least..=guest.cpus * most).contains(&guest.memory_mb));
                prop_assert!(guest.memory_mb % STEP_MB == 0 && guest.memory_mb << 20 >= bytes);
            }
        }
    }
}
