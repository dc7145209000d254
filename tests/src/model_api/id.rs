//! Identifiers in the vendor's form.

use std::sync::atomic::{AtomicU64, Ordering};

/// Makes ids that no other server instance makes, so that a conversation resumed against a new one stays well formed.
#[derive(Debug)]
pub(super) struct Ids {
    seed: u32,
    next: AtomicU64,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self { seed: uuid::Uuid::new_v4().as_fields().0, next: AtomicU64::new(1) }
    }

    /// An id such as `msg_01` and 22 more characters.
    pub(super) fn next(&self, prefix: &str) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}_01{:08x}{number:014x}", self.seed)
    }
}

/// The signature of a thought. It follows from the thought, so that a changed one is noticed when it comes back.
pub(super) fn signature(thought: &str) -> String {
    // FNV-1a: stable in every build, and nobody is to be kept out by it.
    let hash = thought.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("EpYBCkYI{hash:016X}")
}
