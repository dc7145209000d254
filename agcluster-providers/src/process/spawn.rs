//! Starting an agent server and seeing it end.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use super::config::ProcessConfig;
use super::identity::Identity;
use super::layout::Layout;
use super::record;

/// How an agent server ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Exit {
    process: Identity,
    code: i32,
}

/// The name of the agent server's program.
const PROGRAM: &str = "agcluster-agent";

/// The agent server's program: the configured one, the one beside this program, or the one in `PATH`.
pub(super) fn find_binary(config: &ProcessConfig) -> Option<PathBuf> {
    if let Some(path) = &config.agent_binary {
        return path.is_file().then(|| path.clone());
    }
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(PROGRAM)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    beside.into_iter().chain(in_path).find(|path| path.is_file())
}

/// The argument that no other process has.
pub(super) fn listen_argument(layout: &Layout, container: &str) -> String {
    format!("unix:{}", layout.socket(container).display())
}

/// Starts an agent server. It goes on when this process ends.
pub(super) fn spawn(
    config: &ProcessConfig,
    layout: &Layout,
    binary: &Path,
    container: &str,
    workspace: &str,
    env: &BTreeMap<String, String>,
) -> io::Result<Child> {
    super::layout::remove_file(&layout.exit(container))?;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(layout.log(container))?;
    let mut command = Command::new(binary);
    command.env_clear();
    for name in &config.inherit {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
        .envs(&config.env)
        .envs(env)
        .env("TMPDIR", layout.tmp(container))
        .env("AGCLUSTER_MEASURE", "tree")
        .env("AGCLUSTER_HOMES", layout.tmp(container))
        .env("AGCLUSTER_REPLAY_DIRECTORY", layout.replay(container))
        .envs(config.claude.as_ref().map(|claude| ("AGCLUSTER_CLAUDE", claude)));
    if let Some(user) = config.agent_user() {
        command.env("AGCLUSTER_AGENT_UID", user.uid.to_string());
        command.env("AGCLUSTER_AGENT_GID", user.gid.to_string());
    }
    command
        .args(["--listen", &listen_argument(layout, container), "--workspace"])
        .arg(layout.workspace(workspace))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Out of reach of the terminal's signals.
        .process_group(0)
        .spawn()
}

/// Fetches the exit code of a child when it ends, and writes it down.
pub(super) async fn reap(mut child: Child, process: Identity, file: PathBuf) {
    let Ok(status) = child.wait().await else { return };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    // Fails when the container has been removed meanwhile; then nobody wants to know.
    let _ = record::write(&file, &Exit { process, code });
}

/// The exit code of a process that has ended, if it was fetched.
pub(super) fn exit_code(file: &Path, process: &Identity) -> Option<i32> {
    let exit: Exit = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    (exit.process == *process).then_some(exit.code)
}
