//! One container: an agent server and the connections to it.

use std::path::PathBuf;
use std::time::Duration;

use agcluster_agent::{AgentServer, ServerConfig, TokenDigest};
use agcluster_core::provider::Io;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What a connection holds at most on its way.
const PIPE: usize = 64 * 1024;

/// A container that runs. Dropping it ends it at once, as a crash does.
#[derive(Debug)]
pub(super) struct Running {
    server: Server,
    /// Its routes, for every connection.
    router: Router,
    connections: TaskTracker,
    /// Cancelled when it ends, which breaks every connection.
    ended: CancellationToken,
}

/// An agent server that can be printed.
struct Server(AgentServer);

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentServer")
    }
}

/// No program: an agent that is not scripted is not found.
const NO_PROGRAM: &str = "/dev/null/no-agent-program-runs-in-memory-containers";

impl Running {
    /// One with its workspace in this folder, which is made when it is first needed.
    pub(super) fn start(token: TokenDigest, workspace: PathBuf) -> Self {
        let mut config = ServerConfig::new(token);
        config.workspace = workspace;
        config.programs.claude = NO_PROGRAM.into();
        let server = AgentServer::new(config);
        Self {
            router: server.router(),
            server: Server(server),
            connections: TaskTracker::new(),
            ended: CancellationToken::new(),
        }
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Box<dyn Io> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let router = self.router.clone();
        let ended = self.ended.clone();
        self.connections.spawn(async move {
            let answer = service_fn(move |request: hyper::Request<Incoming>| {
                router.clone().oneshot(request.map(Body::new))
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), answer);
            tokio::select! {
                // A client that went away in the middle is its own affair.
                _ = connection => {}
                () = ended.cancelled() => {}
            }
        });
        Box::new(ours)
    }

    /// Ends it as SIGTERM would: the turn is closed, streams get what is there. After `grace` it ends anyway.
    pub(super) async fn stop(self, grace: Duration) {
        let server = self.server.0.clone();
        let orderly = async {
            server.shutdown().await;
            self.connections.close();
            self.connections.wait().await;
        };
        // What is still open then breaks when this is dropped.
        let _ = tokio::time::timeout(grace, orderly).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.cancel();
        let server = self.server.0.clone();
        // Without a runtime all tasks are gone already.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { server.shutdown().await });
        }
    }
}
