//! The workspace: files, git, terminals and commands, as the agent's user.
//!
//! Where the agent has a user of its own, all this runs in a second process of this program that is that user's and
//! holds no secret: what the kernel refuses the agent it refuses whoever asks for the agent's files, whatever links lie
//! in the way. The agent server only checks the token and passes requests on ([`Host`]).

mod folder;
mod git;
mod host;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;

#[cfg(feature = "fuzzing")]
pub(crate) use git::fuzz_git_diff;
pub(crate) use host::Host;

use crate::http::Refusal;
use crate::program::ProcessTree;
use agcluster_protocol::codes;

/// What the workspace is made with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkspaceConfig {
    /// The folder beneath which everything happens.
    pub root: PathBuf,
}

impl WorkspaceConfig {
    /// A workspace in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

/// The routes beneath [`PREFIX`](agcluster_protocol::workspace::PREFIX). They ask for no token: whoever serves them does.
pub fn router(config: WorkspaceConfig) -> Router {
    serve(&config, &ProcessTree::new(false))
}

/// The same with programs in a tree that is there already.
fn serve(config: &WorkspaceConfig, tree: &Arc<ProcessTree>) -> Router {
    let routes = Router::new().merge(git::routes(config, tree.clone()));
    Router::new().nest(agcluster_protocol::workspace::PREFIX, routes).fallback(not_found)
}

async fn not_found() -> Refusal {
    Refusal::new(codes::NOT_FOUND, "there is no such route in the workspace")
}
