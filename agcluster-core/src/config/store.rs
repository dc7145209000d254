//! The configurations there are, kept up to date in memory.

mod files;
mod follow;
mod scan;
mod snapshot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use self::scan::Scanner;
use self::snapshot::Snapshot;
pub use self::snapshot::{ConfigEntry, ConfigLookupError, FileProblem};
use super::model::AgentConfig;

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigSource {
    /// Came with the system.
    Preset,
    /// Was written for this installation by whoever runs it.
    Operator,
    /// Was made by its owner, who alone sees it.
    User,
}

/// A folder of configurations: each file `<id>.yaml` or `<id>.yml` in it is one. Sub-folders, hidden files and files with
/// other endings are ignored. The folder need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFolder {
    /// Where it is.
    pub path: PathBuf,
    /// What its configurations are.
    pub source: ConfigSource,
}

impl ConfigFolder {
    /// A folder of presets.
    pub fn presets(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), source: ConfigSource::Preset }
    }

    /// A folder of configurations written for this installation.
    pub fn operator(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), source: ConfigSource::Operator }
    }
}

/// The configurations of some folders and the built-in presets, kept up to date in memory.
///
/// * The folder named first wins where several have the same id; the presets built into the program come last. An id is
///   listed once.
/// * A file that cannot be used is reported by [`problems`](Self::problems) and does not keep the others from loading. It
///   still takes its id: a preset never steps in for a file that its author believes to be in force, so
///   [`get`](Self::get) answers with the file's problems and [`list`](Self::list) leaves the id out.
/// * What a store answers depends only on what the folders hold now. A change is noticed by the operating system's
///   notification, and where there is none by a look at names, sizes and times once a second; either
///   way reading the store never touches a file. An id is looked up in memory and never becomes a path.
/// * A file that is a link must lead to a file beneath its folder.
///
/// Clones share the same store. Dropping the last one ends the watching.
#[derive(Debug, Clone)]
pub struct ConfigStore {
    shared: Arc<Shared>,
    _follow: Arc<AbortOnDropHandle<()>>,
}

/// What the store and the task that keeps it up to date have in common.
#[derive(Debug)]
struct Shared {
    snapshot: watch::Sender<Arc<Snapshot>>,
    scanner: Mutex<Scanner>,
    /// Whether every change is going to be notified.
    watched: AtomicBool,
}

impl Shared {
    /// Looks at the folders and publishes what changed. Blocks.
    fn rescan(&self) {
        let mut scanner = self.scanner.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = scanner.scan();
        self.watched.store(scanner.is_watched(), Ordering::Relaxed);
        // Still under the lock, so that of two scans the later one is what stays.
        self.snapshot.send_if_modified(|current| {
            let changed = **current != fresh;
            if changed {
                *current = Arc::new(fresh);
            }
            changed
        });
    }

    /// Whether the folders look different from what was last read, without reading the files. Blocks.
    fn looks_different(&self) -> bool {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner).looks_different()
    }
}

impl ConfigStore {
    /// Opens a store over these folders, the one with precedence first, and reads them. Must be called within a Tokio runtime.
    ///
    /// It cannot fail: a folder that does not exist is empty until it does, and what is wrong with files is in
    /// [`problems`](Self::problems).
    pub async fn open(folders: Vec<ConfigFolder>) -> Self {
        let dirty = Arc::new(Notify::new());
        let watcher = scan::watcher(&dirty);
        Self::start(Scanner::new(folders, watcher), dirty).await
    }

    async fn start(scanner: Scanner, dirty: Arc<Notify>) -> Self {
        let (snapshot, _) = watch::channel(Arc::new(Snapshot::default()));
        let shared =
            Arc::new(Shared { snapshot, scanner: Mutex::new(scanner), watched: AtomicBool::new(false) });
        follow::rescan(&shared).await;
        let task = tokio::spawn(follow::follow(Arc::clone(&shared), dirty));
        Self { shared, _follow: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// The configuration of this id. A look-up in memory, whatever the id is.
    ///
    /// # Errors
    /// [`ConfigLookupError::NotFound`] when no file and no preset has this id, [`ConfigLookupError::Invalid`] when the
    /// file that has it cannot be used.
    pub fn get(&self, id: &str) -> Result<Arc<AgentConfig>, ConfigLookupError> {
        Ok(Arc::clone(&self.entry(id)?.config))
    }

    /// The same with where it comes from.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn entry(&self, id: &str) -> Result<Arc<ConfigEntry>, ConfigLookupError> {
        self.shared.snapshot.borrow().get(id)
    }

    /// All configurations that can be used, each id once, sorted by id.
    pub fn list(&self) -> Vec<Arc<ConfigEntry>> {
        self.shared.snapshot.borrow().entries().cloned().collect()
    }

    /// What is wrong with the files that cannot be used.
    pub fn problems(&self) -> Vec<FileProblem> {
        self.shared.snapshot.borrow().problems().to_vec()
    }

    /// Tells of every change from now on.
    pub fn changes(&self) -> ConfigChanges {
        ConfigChanges(self.shared.snapshot.subscribe())
    }

    /// Reads the folders now, and returns when the store shows what they hold. For whoever has just written a file and
    /// does not want to wait until that is noticed. Harmless at any time; dropping the future does not stop the reading.
    pub async fn reload(&self) {
        follow::rescan(&self.shared).await;
    }
}

/// Tells of changes in a [`ConfigStore`].
#[derive(Debug)]
pub struct ConfigChanges(watch::Receiver<Arc<Snapshot>>);

impl ConfigChanges {
    /// Waits until what the store shows is different from what it showed when this was made or last returned. Several
    /// changes may count as one. `false` means that the store is gone and nothing will change any more.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

#[cfg(test)]
mod tests;
