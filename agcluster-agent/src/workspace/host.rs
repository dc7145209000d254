//! Where the workspace's work is done: in this process, or in one of the agent's user's.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use agcluster_protocol::{Problem, codes};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tower::ServiceExt;

use super::{WorkspaceConfig, serve};
use crate::program::ProcessTree;
use crate::session::problem;
use crate::{AgentUser, ServerConfig};

/// The program itself, wherever it lies and whoever may read the way there.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Does the work of the workspace.
#[allow(clippy::large_enum_variant, reason = "there is one in a whole program")]
pub(crate) enum Host {
    /// Here: there is no other user.
    Here(Router),
    /// In a process of the agent's user.
    Apart(Box<Apart>),
}

impl Host {
    /// Starts what is needed for it.
    pub(crate) async fn start(config: &ServerConfig, tree: &Arc<ProcessTree>) -> Result<Self, Problem> {
        match config.agent_user {
            Some(user) if config.own_process => {
                let apart = Apart::start(config, user, tree).map_err(|error| {
                    problem(codes::INTERNAL, format!("the workspace cannot be served: {error}"))
                })?;
                Ok(Self::Apart(Box::new(apart)))
            }
            _ => Ok(Self::Here(serve(&WorkspaceConfig::new(&config.workspace), tree))),
        }
    }

    /// Answers a request; both bodies are streamed.
    pub(crate) async fn handle(&self, mut request: Request) -> Result<Response, Problem> {
        request.headers_mut().remove(header::AUTHORIZATION);
        match self {
            Self::Here(router) => router.clone().oneshot(request).await.map_err(|never| match never {}),
            Self::Apart(apart) => apart.forward(request).await,
        }
    }
}

/// A process of the agent's user, which serves on a socket that it was given.
pub(crate) struct Apart {
    client: reqwest::Client,
    /// The socket's folder, which only this process may enter.
    _folder: TempDir,
    _child: Child,
}

impl Apart {
    fn start(config: &ServerConfig, user: AgentUser, tree: &Arc<ProcessTree>) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("workspace-").tempdir()?;
        let socket = folder.path().join("socket");
        let listener = OwnedFd::from(UnixListener::bind(&socket)?);
        let mut command = Command::new(OWN_PROGRAM);
        command.arg("workspace").arg("--root").arg(&config.workspace);
        command.env_clear().current_dir("/").stdin(listener).kill_on_drop(true);
        for name in ["PATH", "LANG", "AGCLUSTER_LOG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.uid(user.uid).gid(user.gid);
        let (child, _) = tree.spawn(&mut command)?;
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .tls_certs_only([])
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self { client, _folder: folder, _child: child })
    }

    async fn forward(&self, request: Request) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let sent = self
            .client
            .request(parts.method, format!("http://workspace{path}"))
            .headers(parts.headers)
            .body(reqwest::Body::wrap_stream(body.into_data_stream()))
            .send()
            .await;
        let answer = sent.map_err(|error| {
            tracing::warn!(error = %error.without_url(), "the workspace does not answer");
            problem(codes::INTERNAL, "the workspace does not answer: its process was ended")
        })?;
        let mut response = answer.status().into_response();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }
}
