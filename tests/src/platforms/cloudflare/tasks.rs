//! Agent servers that are tasks of this process in place of containers: `fake_runtime.js` has them started and ended over HTTP.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::platforms::agents::AgentTask;

/// Tasks by the names of their objects.
type Running = Arc<Mutex<HashMap<String, AgentTask>>>;

#[derive(Debug)]
pub(super) struct Tasks {
    running: Running,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Tasks {
    pub(super) async fn serve() -> anyhow::Result<Self> {
        let running = Running::default();
        let router = Router::new()
            .route("/{name}/start", post(start))
            .route("/{name}/end", post(end))
            .with_state(Arc::clone(&running));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { running, address, serving })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names of those that run.
    pub(super) fn left(&self) -> Vec<String> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers with the base URL of the agent server.
async fn start(
    State(running): State<Running>,
    Path(name): Path<String>,
    Json(env): Json<BTreeMap<String, String>>,
) -> Result<String, (StatusCode, String)> {
    let started = async {
        let task = AgentTask::place().await?;
        task.start(env.get(TOKEN_DIGEST_ENV).map_or("", String::as_str)).await?;
        anyhow::Ok(task)
    };
    let task = started.await.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let url = format!("http://{}", task.address());
    running.lock().unwrap_or_else(PoisonError::into_inner).insert(name, task);
    Ok(url)
}

async fn end(State(running): State<Running>, Path(name): Path<String>) {
    let task = running.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    if let Some(task) = task {
        task.stop().await;
        task.end();
    }
}
