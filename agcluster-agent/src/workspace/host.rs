//! Where the workspace's work is done: in this process, or in one of the agent's user's.

mod apart;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use agcluster_protocol::workspace::PREFIX;
use agcluster_protocol::{Problem, codes};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use tower::ServiceExt;

use super::{WorkspaceConfig, make_root, remote, serve};
use crate::ServerConfig;
use crate::program::ProcessTree;
use crate::session::problem;
use apart::Apart;

/// The longest refusal.
const REFUSAL: usize = 64 * 1024;

/// Does the work of the workspace.
pub(crate) enum Host {
    /// Here: there is no other user.
    Here(Router, WorkspaceConfig),
    /// In a process of the agent's user.
    Apart(Box<Apart>),
}

impl Host {
    /// Gets ready for it. `home` is that of the agent program, if it has one.
    pub(crate) fn new(config: &ServerConfig, home: Option<PathBuf>, tree: &Arc<ProcessTree>) -> Self {
        if let Err(error) = make_root(&config.workspace, config.agent_user) {
            tracing::warn!(%error, "the workspace cannot be made");
        }
        let mut workspace = WorkspaceConfig::new(&config.workspace);
        workspace.home = home;
        match config.agent_user {
            Some(user) if config.own_process => {
                Self::Apart(Box::new(Apart::new(workspace, user, tree.clone())))
            }
            _ => Self::Here(serve(&workspace, tree), workspace),
        }
    }

    /// Whether a request is answered before there is a session.
    pub(crate) fn serves_before(request: &Request) -> bool {
        remote::Command::of(request) == Some(remote::Command::Clone)
    }

    /// Writes files that are not there yet.
    pub(crate) async fn seed(&self, files: &BTreeMap<String, String>) -> Result<(), Problem> {
        let broken = || problem(codes::INTERNAL, "the configuration's files cannot be written");
        let body = serde_json::to_vec(files).map_err(|_| broken())?;
        let request = axum::http::Request::post(format!("{PREFIX}{}", super::seed::SEED)).body(body.into());
        let answer = self.pass_on(request.map_err(|_| broken())?).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let refusal = to_bytes(answer.into_body(), REFUSAL).await.map_err(|_| broken())?;
        Err(serde_json::from_slice(&refusal).unwrap_or_else(|_| broken()))
    }

    /// Answers a request; both bodies are streamed.
    pub(crate) async fn handle(self: Arc<Self>, mut request: Request) -> Result<Response, Problem> {
        request.headers_mut().remove(header::AUTHORIZATION);
        // What the outer router found in the path is no parameter of the routes in here.
        request.extensions_mut().clear();
        match remote::Command::of(&request) {
            Some(command) => Ok(remote::carry_out(self, command, request).await),
            None => self.pass_on(request).await,
        }
    }

    /// The same for a clone, after which all ends that was started for it.
    pub(crate) async fn handle_once(self: Arc<Self>, request: Request) -> Response {
        remote::carry_out_once(self, remote::Command::Clone, request).await
    }

    /// Has the workspace itself answer a request, which holds no secret.
    pub(super) async fn pass_on(&self, request: Request) -> Result<Response, Problem> {
        match self {
            Self::Here(router, _) => router.clone().oneshot(request).await.map_err(|never| match never {}),
            Self::Apart(apart) => apart.forward(request).await,
        }
    }

    /// Ends all that runs in it, and returns when that is gone.
    pub(crate) async fn end(&self) {
        match self {
            Self::Here(_, workspace) => {
                workspace.closing.cancel();
                workspace.tasks.close();
                workspace.tasks.wait().await;
            }
            Self::Apart(apart) => apart.end().await,
        }
    }
}
