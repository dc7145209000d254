//! The workspace: files, git, terminals and commands, as the agent's user.
//!
//! Where the agent has a user of its own, all this runs in a second process of this program that is that user's and
//! holds no secret: what the kernel refuses the agent it refuses whoever asks for the agent's files, whatever links lie
//! in the way. The agent server only checks the token and passes requests on (`host.rs`).

mod exec;
mod files;
mod folder;
mod frames;
mod git;
mod host;
mod kept;
mod path;
mod remote;
mod root;
mod seed;
mod surroundings;
mod terminals;
#[cfg(test)]
mod tests;

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::Exit;
use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(feature = "fuzzing")]
pub(crate) use git::fuzz_git_diff;
pub(crate) use host::Host;
pub(crate) use root::{give, make_root};

use crate::http::Refusal;
use crate::program::ProcessTree;

/// What the workspace is made with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkspaceConfig {
    /// The folder beneath which everything happens.
    pub root: PathBuf,
    /// The home of the agent's user; the workspace itself when absent.
    pub home: Option<PathBuf>,
    /// Whether this is a process of its own and a subreaper, to which all comes that its programs leave behind.
    pub own_process: bool,
    /// Bounds of terminals.
    pub terminals: TerminalLimits,
    /// Ends terminals and commands, and the streams of them, when it is cancelled.
    pub closing: CancellationToken,
    /// What then has to come to its end.
    pub tasks: TaskTracker,
}

/// Bounds of terminals.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TerminalLimits {
    /// The most that are open at a time. Default 16.
    pub most: usize,
    /// How much of each one's output is kept, in bytes. Default 256 KiB.
    pub scrollback_bytes: usize,
    /// How long one may be there that nobody looks at or types into, before it is ended. Default half an hour.
    pub idle: Duration,
}

impl Default for TerminalLimits {
    fn default() -> Self {
        Self { most: 16, scrollback_bytes: 256 * 1024, idle: Duration::from_secs(30 * 60) }
    }
}

impl WorkspaceConfig {
    /// A workspace in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            home: None,
            own_process: false,
            terminals: TerminalLimits::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}

/// The routes beneath [`PREFIX`](agcluster_protocol::workspace::PREFIX). They ask for no token: whoever serves them does.
/// They must be made within a tokio runtime.
pub fn router(config: WorkspaceConfig) -> Router {
    let tree = ProcessTree::new(config.own_process);
    serve(&config, &tree)
}

/// The same with programs in a tree that is there already.
fn serve(config: &WorkspaceConfig, tree: &Arc<ProcessTree>) -> Router {
    let routes = Router::new()
        .merge(files::routes(config))
        .merge(git::routes(config, tree.clone()))
        .merge(terminals::routes(config.clone(), tree.clone()))
        .merge(exec::routes(config.clone(), tree.clone()))
        .merge(seed::routes(config));
    Router::new().nest(agcluster_protocol::workspace::PREFIX, routes).fallback(not_found)
}

fn exit_of(status: ExitStatus) -> Exit {
    Exit { code: status.code(), signal: status.signal() }
}

async fn not_found() -> Refusal {
    Refusal::new(codes::NOT_FOUND, "there is no such route in the workspace")
}
