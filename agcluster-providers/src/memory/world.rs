//! Everything there is on this platform.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agcluster_agent::TokenDigest;
use agcluster_core::provider::{Container, ContainerId, ContainerState, ErrorKind, Io, Labels};
use jiff::Timestamp;
use tempfile::TempDir;

use super::MemoryConfig;
use super::container::Running;

/// Everything there is on this platform.
#[derive(Debug, Default)]
pub(super) struct World {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) containers: BTreeMap<String, Entry>,
    /// Workspaces by name, with the labels of the container they were made with.
    pub(super) workspaces: BTreeMap<String, Labels>,
    /// Containers that refuse connections because a test wants it.
    pub(super) refusing: HashSet<String>,
    /// Where workspaces are; made with the first one, and removed with the platform.
    folder: Option<TempDir>,
    /// What the next calls shall fail with, by operation.
    faults: HashMap<&'static str, VecDeque<ErrorKind>>,
}

/// A container.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) labels: Labels,
    pub(super) token: TokenDigest,
    pub(super) created_at: Timestamp,
    pub(super) warnings: Vec<String>,
    pub(super) run: Run,
}

/// What a container is doing.
#[derive(Debug)]
pub(super) enum Run {
    Running(Running),
    Ended { exit_code: i32, reason: Option<String> },
}

impl Entry {
    pub(super) fn view(&self, name: &str) -> Container {
        let state = match &self.run {
            Run::Running(_) => ContainerState::Running,
            Run::Ended { exit_code, reason } => {
                ContainerState::Stopped { exit_code: Some(*exit_code), reason: reason.clone() }
            }
        };
        Container {
            id: ContainerId(name.to_owned()),
            state,
            labels: self.labels.clone(),
            created_at: Some(self.created_at),
            expires_at: None,
            warnings: self.warnings.clone(),
        }
    }
}

impl World {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a container, if it takes one.
    pub(super) fn connect(&self, container: &str) -> Option<Box<dyn Io>> {
        let state = self.state();
        match &state.containers.get(container)?.run {
            Run::Running(running) if !state.refusing.contains(container) => Some(running.connect()),
            _ => None,
        }
    }

    /// The next fault of an operation.
    pub(super) fn fault(&self, operation: &str) -> Option<ErrorKind> {
        self.state().faults.get_mut(operation)?.pop_front()
    }

    pub(super) fn add_fault(&self, operation: &'static str, kind: ErrorKind) {
        self.state().faults.entry(operation).or_default().push_back(kind);
    }

    pub(super) fn refuse(&self, container: &str, refuse: bool) {
        let mut state = self.state();
        if refuse {
            state.refusing.insert(container.to_owned());
        } else {
            state.refusing.remove(container);
        }
    }
}

impl State {
    /// Where the workspace of this name is, or will be.
    pub(super) fn folder_of(&mut self, config: &MemoryConfig, workspace: &str) -> io::Result<PathBuf> {
        if let Some(folder) = &config.workspaces {
            return Ok(folder.join(workspace));
        }
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("agcluster-memory-").tempdir()?,
        };
        Ok(self.folder.insert(folder).path().join(workspace))
    }

    /// Workspaces whose session has no container.
    pub(super) fn remains(&self) -> impl Iterator<Item = Container> {
        let used: HashSet<_> =
            self.containers.values().map(|entry| crate::name::workspace(&entry.labels)).collect();
        self.workspaces.iter().filter(move |(name, _)| !used.contains(*name)).map(|(name, labels)| {
            Container {
                id: ContainerId(name.clone()),
                state: ContainerState::Remains,
                labels: labels.clone(),
                created_at: None,
                expires_at: None,
                warnings: Vec::new(),
            }
        })
    }
}
