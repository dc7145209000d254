//! How much of each session's events is kept.

use std::time::Duration;

use jiff::Timestamp;

/// How much of each session's events is kept. The newest is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The most bytes of rendered JSON.
    pub max_bytes: u64,
    /// The most events.
    pub max_events: u64,
    /// The greatest age; any when absent.
    pub max_age: Option<Duration>,
}

impl Default for Retention {
    /// 64 MiB and a million events, of any age.
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_events: 1_000_000, max_age: None }
    }
}

impl Retention {
    /// What happened before this is too old.
    pub(super) fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        // An age that reaches beyond all time keeps everything.
        self.max_age.and_then(|age| now.checked_sub(age).ok())
    }
}
