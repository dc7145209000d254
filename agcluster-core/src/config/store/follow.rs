//! Keeps a store up to date.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Shared;

/// A file is usually written in several steps: a scan waits until this long nothing has happened ...
const QUIET: Duration = Duration::from_millis(40);

/// ... but not longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often to look where nothing notifies.
const LOOK: Duration = Duration::from_secs(1);

/// How often to look although changes are notified: network and shared file systems do not tell of what others write.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// Scans whenever something changed, until it is aborted.
pub(super) async fn follow(shared: Arc<Shared>, dirty: Arc<Notify>) {
    loop {
        let look = if shared.watched.load(Ordering::Relaxed) { LOOK_ANYWAY } else { LOOK };
        tokio::select! {
            () = dirty.notified() => settle(&dirty).await,
            () = sleep(look) => {
                let shared = Arc::clone(&shared);
                if !blocking(move || shared.looks_different()).await.unwrap_or(true) {
                    continue;
                }
            }
        }
        rescan(&shared).await;
    }
}

/// Scans now.
pub(super) async fn rescan(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    blocking(move || shared.rescan()).await;
}

/// Waits until nothing has happened for a moment.
async fn settle(dirty: &Notify) {
    let quiet = async { while timeout(QUIET, dirty.notified()).await.is_ok() {} };
    // A folder that never comes to rest is read all the same.
    if timeout(PATIENCE, quiet).await.is_err() {
        tracing::debug!("configurations change without pause");
    }
}

/// `None` when the runtime shuts down.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work)
        .await
        .inspect_err(|error| {
            if error.is_panic() {
                tracing::error!(%error, "reading the configurations failed");
            }
        })
        .ok()
}
