//! Agent servers that are tasks of this process in place of containers: `fake_runtime.js` has them started and ended over HTTP.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::platforms::agents::AgentTask;

/// Tasks by the names of their runs; those that were ended are remembered, so that a start that comes late starts nothing.
type Runs = Arc<Mutex<HashMap<String, Option<AgentTask>>>>;

#[derive(Debug)]
pub(super) struct Tasks {
    runs: Runs,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Tasks {
    pub(super) async fn serve() -> anyhow::Result<Self> {
        let runs = Runs::default();
        let router = Router::new()
            .route("/{name}/start", post(start))
            .route("/{name}/end", post(end))
            .with_state(Arc::clone(&runs));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { runs, address, serving })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names of those that run.
    pub(super) async fn left(&self) -> Vec<String> {
        let runs = self.runs.lock().await;
        runs.iter().filter(|(_, task)| task.is_some()).map(|(name, _)| name.clone()).collect()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers with the base URL of the agent server, which is started unless it was before.
async fn start(
    State(runs): State<Runs>,
    Path(name): Path<String>,
    Json(env): Json<BTreeMap<String, String>>,
) -> Result<String, StatusCode> {
    let mut runs = runs.lock().await;
    let task = match runs.entry(name) {
        Entry::Occupied(run) => run.get().clone().ok_or(StatusCode::GONE)?,
        Entry::Vacant(free) => {
            let digest = env.get(TOKEN_DIGEST_ENV).ok_or(StatusCode::BAD_REQUEST)?;
            let task = AgentTask::place().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
            task.start(digest).await.map_err(|_| StatusCode::BAD_REQUEST)?;
            free.insert(Some(task.clone()));
            task
        }
    };
    Ok(format!("http://{}", task.address()))
}

async fn end(State(runs): State<Runs>, Path(name): Path<String>) {
    let task = runs.lock().await.insert(name, None).flatten();
    if let Some(task) = task {
        task.stop().await;
        task.end();
    }
}
