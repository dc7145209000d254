mod changing;
mod hostile;
mod looking;

use std::path::{Path, PathBuf};
use std::process::Command;

use agcluster_protocol::Problem;
use agcluster_protocol::workspace::PREFIX;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::workspace::{WorkspaceConfig, router};

/// A workspace with its routes.
struct Ground {
    folder: TempDir,
    router: Router,
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let router = router(WorkspaceConfig::new(folder.path()));
        Self { folder, router }
    }

    /// With a repository `repo` that has one commit.
    fn with_repository() -> Self {
        let ground = Self::new();
        ground.make_repository("repo");
        ground
    }

    fn make_repository(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        self.git(name, &["init", "--quiet", "--initial-branch=main"]);
        self.write(&format!("{name}/a.txt"), "one\ntwo\nthree\n");
        self.git(name, &["add", "--all"]);
        self.git(name, &["commit", "--quiet", "--message=first"]);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// What the agent does itself.
    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        git(&self.path(folder), arguments)
    }

    async fn get(&self, route: &str) -> Answer {
        self.send(Request::get(format!("{PREFIX}{route}")).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, route: &str, body: Value) -> Answer {
        self.send(Request::post(format!("{PREFIX}{route}")).body(Body::from(body.to_string())).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        Answer { status, body: response.into_body().collect().await.unwrap().to_bytes().to_vec() }
    }
}

impl Answer {
    #[track_caller]
    fn read<T: DeserializeOwned>(self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    fn refused(self, status: u16, code: &str) -> String {
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((self.status.as_u16(), problem.code.as_str()), (status, code), "{}", problem.detail);
        problem.detail
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs([
            ("GIT_AUTHOR_NAME", "Ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.com"),
            ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+00:00"),
            ("GIT_COMMITTER_NAME", "Bob"),
            ("GIT_COMMITTER_EMAIL", "bob@example.com"),
            ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05+00:00"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
