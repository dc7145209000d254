//! A workspace, and a client of it.

use std::time::Duration;

use agcluster_protocol::Problem;
use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tower::ServiceExt;

use super::{WorkspaceConfig, router};

/// Everything here takes a moment; on a busy machine it may take a while.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap()
}

pub(super) struct Workspace {
    pub(super) config: WorkspaceConfig,
    pub(super) folder: TempDir,
    router: Router,
}

impl Workspace {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut WorkspaceConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = WorkspaceConfig::new(folder.path());
        change(&mut config);
        Self { router: router(config.clone()), config, folder }
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/workspace{path}"));
        Answer(self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap())
    }

    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.send("POST", path, serde_json::to_vec(body).unwrap()).await
    }

    /// Ends it, and waits until all that ran in it is gone.
    pub(super) async fn close(self) {
        self.config.closing.cancel();
        self.config.tasks.close();
        soon(self.config.tasks.wait()).await;
    }
}

pub(super) struct Answer(Response);

impl Answer {
    pub(super) async fn json<T: DeserializeOwned>(self, status: StatusCode) -> T {
        let is = self.0.status();
        let bytes = self.0.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(is, status, "{}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(super) async fn refused(self, status: u16, code: &str) {
        let problem: Problem = self.json(StatusCode::from_u16(status).unwrap()).await;
        assert_eq!(problem.code, code, "{}", problem.detail);
        assert!(problem.detail.len() > 10, "{}", problem.detail);
    }

    pub(super) fn is_success(&self) -> bool {
        self.0.status().is_success()
    }

    pub(super) fn done(self) {
        assert_eq!(self.0.status(), StatusCode::NO_CONTENT);
    }

    pub(super) fn frames(self) -> Frames {
        assert_eq!(self.0.status(), StatusCode::OK);
        Frames { body: self.0.into_body().into_data_stream(), rest: Vec::new() }
    }
}

/// Lines of JSON as they come.
pub(super) struct Frames {
    body: BodyDataStream,
    rest: Vec<u8>,
}

impl Frames {
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let bytes = soon(self.body.next()).await?.unwrap();
            self.rest.extend_from_slice(&bytes);
        }
    }
}
