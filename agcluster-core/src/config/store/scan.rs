//! From folders to a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::super::model::{AgentConfig, ReadConfig};
use super::super::problem::{ConfigError, FieldProblem};
use super::super::{names, path, presets};
use super::files::{self, Listed, Listing};
use super::snapshot::{ConfigEntry, FileProblem, Outcome, Snapshot};
use super::{ConfigFolder, ConfigSource};

/// Reads folders, and knows what it read before.
#[derive(Debug)]
pub(super) struct Scanner {
    folders: Vec<ConfigFolder>,
    presets: Vec<(String, Outcome)>,
    watcher: Option<RecommendedWatcher>,
    watched: bool,
    seen: Vec<Listing>,
    /// By folder and file name.
    known: BTreeMap<(usize, String), Known>,
}

/// What a text was found to be.
#[derive(Debug)]
struct Known {
    digest: [u8; 32],
    outcome: Outcome,
}

/// Notifies of changes in the folders that are going to be watched; `None` where the system cannot.
pub(super) fn watcher(dirty: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let dirty = Arc::clone(dirty);
    let on_event = move |event: notify::Result<notify::Event>| {
        let ours = matches!(&event, Ok(event) if is_reading(event.kind));
        if !ours {
            dirty.notify_one();
        }
    };
    notify::recommended_watcher(on_event)
        .inspect_err(
            |error| tracing::warn!(%error, "configurations are not watched but looked at once a second"),
        )
        .ok()
}

/// Reading a file is an event too; answering it by reading again would never end.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

impl Scanner {
    pub(super) fn new(folders: Vec<ConfigFolder>, watcher: Option<RecommendedWatcher>) -> Self {
        let presets = presets::DOCUMENTS.into_iter().map(|text| {
            let outcome = parse(text, ConfigSource::Preset);
            let id = outcome.as_ref().map(|entry| entry.config.id.clone());
            (id.unwrap_or_default(), outcome)
        });
        let presets = presets.collect();
        Self { folders, presets, watcher, watched: false, seen: Vec::new(), known: BTreeMap::new() }
    }

    /// Whether the last scan has put every folder under watch.
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    pub(super) fn looks_different(&self) -> bool {
        !self.folders.iter().map(|folder| files::list(&folder.path)).eq(self.seen.iter().cloned())
    }

    /// Reads the folders. A file whose text is the same keeps its entry.
    pub(super) fn scan(&mut self) -> Snapshot {
        // First, so that a change during the scan leads to another one; each time, because a folder may be new or replaced.
        self.watched = self.watch();
        self.seen = self.folders.iter().map(|folder| files::list(&folder.path)).collect();
        let before = std::mem::take(&mut self.known);
        let mut snapshot = Snapshot::default();
        for (index, (folder, listing)) in self.folders.iter().zip(&self.seen).enumerate() {
            let report = |snapshot: &mut Snapshot, file: &str, problem: &FieldProblem| {
                let file = file.to_owned();
                snapshot.report(FileProblem { file, source: folder.source, problem: problem.clone() });
            };
            if let Some(problem) = &listing.problem {
                let name = folder.path.file_name().unwrap_or_default().to_string_lossy();
                report(&mut snapshot, &name, &FieldProblem::sentence("", problem.as_str()));
            }
            let mut ids = BTreeSet::new();
            for file in &listing.files {
                if let Some(fault) = name_fault(file, &mut ids) {
                    report(&mut snapshot, &file.name, &fault);
                    continue;
                }
                let Some(text) = files::read(&folder.path, &file.name) else { continue };
                let key = (index, file.name.clone());
                let known = match text {
                    Ok(text) => load(&text, file, folder.source, before.get(&key)),
                    Err(problem) => Known { digest: [0; 32], outcome: Err(ConfigError::one(problem)) },
                };
                for problem in known.outcome.as_ref().err().into_iter().flat_map(ConfigError::problems) {
                    report(&mut snapshot, &file.name, problem);
                }
                snapshot.add(file.stem(), known.outcome.clone());
                self.known.insert(key, known);
            }
        }
        for (id, outcome) in &self.presets {
            snapshot.add(id, outcome.clone());
        }
        snapshot
    }

    fn watch(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let watch = |path: &Path| watcher.watch(path, RecursiveMode::NonRecursive).is_ok();
        // Counted, so that one that is not there does not keep those behind it from being watched.
        let paths = self.folders.iter().map(|folder| folder.path.as_path());
        paths.map(watch).filter(|watched| *watched).count() == self.folders.len()
    }
}

/// What is wrong with the name of a file, and with being the second of its id.
fn name_fault(file: &Listed, ids: &mut BTreeSet<String>) -> Option<FieldProblem> {
    let stem = file.stem();
    if !names::is_id(stem) {
        let message =
            "the file must be named <id>.yaml, where the id is made of a-z, 0-9, - and _; rename it";
        return Some(FieldProblem::sentence("", message));
    }
    let second = !ids.insert(stem.to_owned());
    second.then(|| {
        let message = format!("the file repeats {stem}.yaml of the same folder; remove one of them");
        FieldProblem::sentence("", message)
    })
}

fn load(text: &str, file: &Listed, source: ConfigSource, before: Option<&Known>) -> Known {
    let digest = Sha256::digest(text.as_bytes()).into();
    if let Some(known) = before.filter(|known| known.digest == digest) {
        return Known { digest, outcome: known.outcome.clone() };
    }
    let outcome = parse(text, source).and_then(|entry| match entry.config.id == file.stem() {
        true => Ok(entry),
        false => {
            let (id, stem) = (path::quoted(&entry.config.id), file.stem());
            let message = format!("`id` is {id}, but the file is named after {stem:?}: make them equal");
            Err(ConfigError::one(FieldProblem::sentence("id", message)))
        }
    });
    match &outcome {
        Ok(entry) => {
            for warning in &entry.warnings {
                tracing::warn!(file = file.name, %warning, "a configuration has a doubtful field");
            }
        }
        Err(error) => tracing::warn!(file = file.name, %error, "a configuration cannot be used"),
    }
    Known { digest, outcome }
}

fn parse(text: &str, source: ConfigSource) -> Outcome {
    let ReadConfig { config, warnings } = AgentConfig::from_yaml(text)?;
    Ok(Arc::new(ConfigEntry { config: Arc::new(config), source, warnings }))
}
