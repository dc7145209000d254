//! Requests that act and last: as long as one of them goes on, its session is in use.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Session;

/// A request that goes on until this is dropped.
pub(crate) struct Acting(Arc<Session>);

impl Session {
    /// Begins a request that may last.
    pub(crate) fn acting(self: &Arc<Self>) -> Acting {
        self.acting.fetch_add(1, Ordering::Relaxed);
        Acting(Arc::clone(self))
    }

    /// Whether such a request goes on.
    pub(super) fn is_acted_in(&self) -> bool {
        self.acting.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        // Idleness is counted from its end.
        self.0.touch();
        self.0.acting.fetch_sub(1, Ordering::Relaxed);
    }
}
