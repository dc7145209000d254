//! Keeping the output of running containers short.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::identity::{Held, Identity};
use super::super::logs;

/// Containers that are watched by this provider.
#[derive(Debug, Clone)]
pub(super) struct Watches {
    watched: Arc<Mutex<HashSet<PathBuf>>>,
    max_log: u64,
}

/// How often the length of a file is looked at.
const LOOK: Duration = Duration::from_secs(10);

impl Watches {
    pub(super) fn new(max_log: u64) -> Self {
        Self { watched: Arc::default(), max_log }
    }

    /// Watches a container's file until the container ends, or this process.
    pub(super) fn add(&self, process: &Identity, log: PathBuf) {
        let is_new = self.watched.lock().unwrap_or_else(PoisonError::into_inner).insert(log.clone());
        if !is_new {
            return;
        }
        let (watched, max_log, process) = (self.watched.clone(), self.max_log, process.clone());
        tokio::spawn(async move {
            // Without a hold there is nothing to watch.
            while let Some(Ok(Some(held))) = process.stat().map(Held::take) {
                if let Err(error) = logs::trim(&log, max_log) {
                    tracing::debug!(%error, "the output of a container cannot be shortened");
                }
                if !matches!(held.ended(LOOK).await, Ok(false)) {
                    break;
                }
            }
            watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&log);
        });
    }
}
