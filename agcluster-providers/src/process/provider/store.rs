//! The files, and the processes they tell of. Everything here may block for a moment.

use std::fs;
use std::io;
use std::path::PathBuf;

use agcluster_core::provider::{
    Container, ContainerId, ContainerSpec, ContainerState, Error, ErrorKind, Labels, Limits, Result,
};
use jiff::Timestamp;

use super::super::config::ProcessConfig;
use super::super::error::{self, error, file};
use super::super::identity::Identity;
use super::super::layout::{self, Layout};
use super::super::lock::Lock;
use super::super::record::{self, Record, labels_of};
use super::super::tree::Tree;
use super::super::{proc_fs, spawn};
use super::{Found, workspace_of};
use crate::name::{self, Name};

/// The folder, and how containers in it are made.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) config: ProcessConfig,
    pub(super) layout: Layout,
}

/// Processes that could not be looked at or ended.
pub(super) fn processes(source: io::Error, operation: &'static str) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        io::ErrorKind::PermissionDenied => ErrorKind::Auth,
        _ => ErrorKind::Unavailable,
    };
    let message = "the container's processes cannot be ended or frozen: look at them with ps";
    error(kind, operation, message).with_source(source)
}

impl Store {
    /// Makes the folders and finds the agent server.
    pub(super) fn ready(&self, operation: &'static str) -> Result<PathBuf> {
        let root = self.layout.root();
        self.layout.prepare().map_err(|source| file(source, operation, root))?;
        if let Some(user) = self.config.agent_user()
            && let Some(folder) = self.layout.blocked_at()
        {
            let folder = folder.display();
            let message = format!(
                "user {} cannot pass {folder} to its workspace: allow it (chmod o+x), or set state_dir to another folder",
                user.uid
            );
            return Err(error(ErrorKind::Precondition, operation, message));
        }
        spawn::find_binary(&self.config).ok_or_else(|| {
            let message = match &self.config.agent_binary {
                Some(path) => format!("there is no agent server at {}: `cargo xtask agent` builds it and prints its path", path.display()),
                None => "there is no agcluster-agent beside this program or in PATH: set agent_binary to the path that `cargo xtask agent` prints".to_owned(),
            };
            error(ErrorKind::Precondition, operation, message)
        })
    }

    /// Makes a container, or starts the one of that name if it stands still.
    pub(super) fn create(&self, spec: &ContainerSpec) -> Result<()> {
        let container = spec.labels.container_name();
        let path = self.layout.record(&container);
        if let Some(record) = self.read(&container, "create")? {
            self.check_owner(record.labels().as_ref(), &spec.labels)?;
            if self.process_of(&container, &record).is_some() {
                return Ok(());
            }
            return self.launch(&container, record, "create");
        }
        let workspace = name::workspace(&spec.labels);
        let labels_path = self.layout.workspace_labels(&workspace);
        let written = record::read(&labels_path).map_err(|source| file(source, "create", &labels_path))?;
        let is_workspace_new = written.is_none();
        match written {
            Some(labels) => self.check_owner(labels_of(&labels).as_ref(), &spec.labels)?,
            None => record::write(&labels_path, &spec.labels.to_map())
                .map_err(|source| file(source, "create", &labels_path))?,
        }
        let record = Record {
            labels: spec.labels.to_map(),
            created_at: Timestamp::now(),
            env: spec.env.clone(),
            warnings: Limits::default()
                .warnings(spec.resources, "this container is a process of this machine"),
            process: None,
        };
        record::write(&path, &record).map_err(|source| file(source, "create", &path))?;
        self.launch(&container, record, "create").inspect_err(|_| {
            // The first error is the one to tell of.
            let _ = self.remove_container(&container);
            if is_workspace_new {
                let _ = self.remove_workspace(&workspace);
            }
        })
    }

    /// Starts a container that stands still.
    pub(super) fn restart(&self, container: &str, operation: &'static str) -> Result<()> {
        let record = self.read(container, operation)?;
        self.launch(container, record.ok_or_else(|| error::not_found(container, operation))?, operation)
    }

    fn launch(&self, container: &str, mut record: Record, operation: &'static str) -> Result<()> {
        let binary = self.ready(operation)?;
        let workspace = workspace_of(container);
        self.layout
            .prepare_container(container, &workspace, self.config.agent_user())
            .map_err(|source| file(source, operation, &self.layout.container(container)))?;
        let path = self.layout.record(container);
        let write =
            |record: &Record| record::write(&path, record).map_err(|source| file(source, operation, &path));
        // From here to the second writing, it is found by its arguments.
        record.process = None;
        write(&record)?;
        let child = spawn::spawn(&self.config, &self.layout, &binary, container, &workspace, &record.env)
            .map_err(|source| error::spawn(source, operation, &binary))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        let process = Identity::of(pid).map_err(|source| error::spawn(source, operation, &binary))?;
        tokio::spawn(spawn::reap(child, process.clone(), self.layout.exit(container)));
        record.process = Some(process);
        write(&record)
    }

    /// A container as it is now.
    pub(super) fn find(&self, container: &str, operation: &'static str) -> Result<Option<Found>> {
        let Some(record) = self.read(container, operation)? else { return Ok(None) };
        let Some(labels) = record.labels() else { return Ok(None) };
        let process = self.process_of(container, &record);
        let seen = process.as_ref().and_then(Identity::stat);
        let state = match seen {
            Some(seen) if seen.is_stopped() => ContainerState::Paused,
            Some(_) => ContainerState::Running,
            None => {
                let exit = self.layout.exit(container);
                let exit_code = record.process.as_ref().and_then(|process| spawn::exit_code(&exit, process));
                ContainerState::Stopped { exit_code, reason: None }
            }
        };
        let view = Container {
            id: ContainerId(container.to_owned()),
            state,
            labels,
            created_at: Some(record.created_at),
            expires_at: None,
            warnings: record.warnings,
        };
        Ok(Some(Found { view, process: process.filter(|_| seen.is_some()) }))
    }

    /// Everything there is.
    pub(super) fn list(&self, operation: &'static str) -> Result<Vec<Found>> {
        let names =
            |folder: PathBuf| record::names(&folder).map_err(|source| file(source, operation, &folder));
        // Workspaces first: what is made meanwhile has a container below.
        let workspaces = names(self.layout.workspaces())?;
        let mut found = Vec::new();
        for container in names(self.layout.records())? {
            found.extend(self.find(&container, operation)?);
        }
        for workspace in workspaces {
            if !found.iter().any(|found| name::workspace(&found.view.labels) == workspace) {
                let remains = self.remains(&workspace, operation)?;
                found.extend(remains.map(|view| Found { view, process: None }));
            }
        }
        Ok(found)
    }

    /// A workspace as what remains of a container.
    pub(super) fn remains(&self, workspace: &str, operation: &'static str) -> Result<Option<Container>> {
        let path = self.layout.workspace_labels(workspace);
        let labels = record::read(&path).map_err(|source| file(source, operation, &path))?;
        Ok(labels.and_then(|labels| labels_of(&labels)).map(|labels| Container {
            id: ContainerId(workspace.to_owned()),
            state: ContainerState::Remains,
            labels,
            created_at: None,
            expires_at: None,
            warnings: Vec::new(),
        }))
    }

    /// Removes what an id stands for, after its processes have ended.
    pub(super) fn remove(&self, name: Name<'_>, keep_workspace: bool, lock: Lock) -> Result<()> {
        let removed = |source| file(source, "destroy", self.layout.root());
        if let Name::Container(container) = name {
            self.remove_container(container).map_err(removed)?;
        }
        let workspace = name.workspace();
        self.remove_halves(&workspace).map_err(removed)?;
        let records = record::names(&self.layout.records()).map_err(removed)?;
        // The session's next generation may have it already.
        let is_used = records.iter().any(|container| workspace_of(container) == workspace);
        if !keep_workspace && !is_used {
            self.remove_workspace(&workspace).map_err(removed)?;
            lock.remove().map_err(removed)?;
        }
        Ok(())
    }

    /// Removes what a killed process left half written of a session, whose lock is held.
    fn remove_halves(&self, workspace: &str) -> io::Result<()> {
        let path = |file: PathBuf| file.with_extension("half");
        for container in record::halves(&self.layout.records())? {
            if workspace_of(&container) == workspace {
                layout::remove_file(&path(self.layout.record(&container)))?;
            }
        }
        layout::remove_file(&path(self.layout.workspace_labels(workspace)))
    }

    fn remove_container(&self, container: &str) -> io::Result<()> {
        let (folder, removed) = (self.layout.container(container), self.layout.removed(container));
        // Moved away first: whoever writes down its exit code at this moment does not find it any more.
        layout::remove_folder(&removed)?;
        match fs::rename(&folder, &removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        layout::remove_folder(&removed)?;
        layout::remove_file(&self.layout.socket(container))?;
        layout::remove_file(&self.layout.record(container))
    }

    fn remove_workspace(&self, workspace: &str) -> io::Result<()> {
        layout::remove_folder(&self.layout.workspace(workspace))?;
        layout::remove_file(&self.layout.workspace_labels(workspace))
    }

    /// A container's processes.
    pub(super) fn tree(&self, container: &str, root: Option<Identity>) -> Tree {
        Tree { root, homes: self.layout.tmp(container) }
    }

    /// The agent server of a container, if it lives.
    fn process_of(&self, container: &str, record: &Record) -> Option<Identity> {
        match &record.process {
            Some(process) => process.stat().map(|_| process.clone()),
            // Whoever started it did not live to write it down.
            None => {
                let argument = spawn::listen_argument(&self.layout, container);
                let all = proc_fs::all().ok()?;
                let found =
                    all.iter().find(|stat| stat.is_alive() && proc_fs::has_argument(stat.pid, &argument))?;
                Identity::of(found.pid).ok()
            }
        }
    }

    fn read(&self, container: &str, operation: &'static str) -> Result<Option<Record>> {
        let path = self.layout.record(container);
        record::read(&path).map_err(|source| file(source, operation, &path))
    }

    /// Refuses a thing of the same name that belongs to another session.
    fn check_owner(&self, owner: Option<&Labels>, ours: &Labels) -> Result<()> {
        match owner {
            Some(owner) if owner.cluster == ours.cluster && owner.session == ours.session => Ok(()),
            _ => Err(error(
                ErrorKind::AlreadyExists,
                "create",
                format!(
                    "what session {} needs belongs to somebody else: use another state_dir",
                    ours.session
                ),
            )),
        }
    }
}
