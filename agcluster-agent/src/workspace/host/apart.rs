//! A process of the agent's user, which serves the workspace on a socket that it was given.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use agcluster_protocol::{Problem, codes};
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use rustix::process::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::AgentUser;
use crate::program::ProcessTree;
use crate::session::problem;
use crate::workspace::WorkspaceConfig;
use crate::workspace::surroundings::SHELL_VARIABLE;

/// The program itself, wherever it lies and whoever may read the way there.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// What it needs of this process's environment.
const INHERITED: [&str; 4] = ["PATH", "LANG", "AGCLUSTER_LOG", SHELL_VARIABLE];

/// The workspace's process, which is started when it is first needed, and again when somebody has ended it.
pub(crate) struct Apart {
    config: WorkspaceConfig,
    user: AgentUser,
    tree: Arc<ProcessTree>,
    running: Mutex<Option<Running>>,
}

struct Running {
    client: Client,
    child: Child,
    pid: Pid,
    /// The same folder, through which the socket is reached.
    _opened: OwnedFd,
    /// The socket's folder, which only this process may enter.
    _folder: TempDir,
}

impl Apart {
    pub(super) fn new(config: WorkspaceConfig, user: AgentUser, tree: Arc<ProcessTree>) -> Self {
        Self { config, user, tree, running: Mutex::default() }
    }

    pub(super) async fn forward(&self, request: Request) -> Result<Response, Problem> {
        let client = self.client().await?;
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let sent = client
            .request(parts.method, format!("http://workspace{path}"))
            .headers(parts.headers)
            .body(reqwest::Body::wrap_stream(body.into_data_stream()))
            .send()
            .await;
        let answer = sent.map_err(|error| {
            tracing::warn!(error = %error.without_url(), "the workspace does not answer");
            problem(codes::INTERNAL, "the workspace does not answer: its process was ended; try again")
        })?;
        let mut response = answer.status().into_response();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }

    /// Ends the process and everything below it. Nothing is served afterwards.
    pub(super) async fn end(&self) {
        self.config.closing.cancel();
        let Some(mut running) = self.running.lock().await.take() else { return };
        self.tree.kill(running.pid);
        // It fails when the process is gone already.
        let _ = running.child.kill().await;
        self.tree.gone(running.pid);
        // What was below it has come to this process.
        self.tree.end_orphans().await;
    }

    async fn client(&self) -> Result<Client, Problem> {
        let mut running = self.running.lock().await;
        if let Some(known) = running.as_mut()
            && matches!(known.child.try_wait(), Ok(None))
        {
            return Ok(known.client.clone());
        }
        if self.config.closing.is_cancelled() {
            return Err(problem(codes::INTERNAL, "the agent server is ending"));
        }
        if let Some(ended) = running.take() {
            tracing::warn!("the process of the workspace was ended: it is started again");
            self.tree.gone(ended.pid);
        }
        let started = self
            .start()
            .map_err(|error| problem(codes::INTERNAL, format!("the workspace cannot be served: {error}")))?;
        Ok(running.insert(started).client.clone())
    }

    fn start(&self) -> std::io::Result<Running> {
        let folder = tempfile::Builder::new().prefix("workspace-").tempdir()?;
        // A socket's whole path is short, whatever the folder's is: by its descriptor.
        let opened = OwnedFd::from(std::fs::File::open(folder.path())?);
        let socket = format!("/proc/self/fd/{}/socket", opened.as_raw_fd());
        let listener = OwnedFd::from(UnixListener::bind(&socket)?);
        let mut command = Command::new(OWN_PROGRAM);
        command.arg("workspace").arg("--root").arg(&self.config.root);
        if let Some(home) = &self.config.home {
            command.arg("--home").arg(home);
        }
        command.env_clear().current_dir("/").stdin(listener).kill_on_drop(true);
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.uid(self.user.uid).gid(self.user.gid);
        let client = Client::builder()
            .unix_socket(socket)
            .tls_certs_only([])
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        let (child, pid) = self.tree.spawn_apart(|| command.spawn())?;
        Ok(Running { client, child, pid, _opened: opened, _folder: folder })
    }
}
