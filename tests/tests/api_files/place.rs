//! A session whose workspace lies open to the test, as it does to an agent.

use std::path::{Path, PathBuf};

use agcluster_tests::system::{Answer, Api, Provider, Session, System};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A session on the memory provider, and its workspace.
pub(crate) struct Place {
    system: System,
    pub(crate) api: Api,
    pub(crate) session: Session,
    folder: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// One of a server with these arguments.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), arguments).await
    }

    /// The same with its workspace in this folder.
    pub(crate) async fn within(folder: TempDir, arguments: &[&str]) -> Self {
        let files = [("memory", json!({ "workspaces": folder.path() }))];
        let system = System::start_configured(Provider::Memory, &files, arguments).await.unwrap();
        let api = system.api("key");
        let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
        let place = Self { system, api, session, folder };
        // Looking makes the workspace.
        place.get("").await;
        place
    }

    /// The workspace on this machine.
    pub(crate) fn root(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap()
    }

    /// A file of it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.root().join(path)).unwrap()
    }

    /// A request for a path, which is taken as it stands.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api.request(method, &format!("/api/files/{}{path}", self.session.id))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.api.send(self.request(Method::GET, path)).await.unwrap()
    }

    pub(crate) async fn fetch(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, content: impl Into<reqwest::Body>) -> Answer {
        self.api.send(self.request(Method::PUT, path).body(content)).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.send(self.request(Method::POST, path).json(&body)).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.api.send(self.request(Method::DELETE, path)).await.unwrap()
    }

    /// Waits until these names, and no half-written file, are in the workspace: an upload that was broken off is cleared away
    /// when the agent server notices it.
    pub(crate) async fn settled(&self, names: &[&str]) {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
        loop {
            looks.tick().await;
            let entries = std::fs::read_dir(self.root()).unwrap();
            let mut found: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            found.sort();
            if found == names {
                return;
            }
        }
    }

    pub(crate) async fn end(self) {
        self.system.stop().await.unwrap();
    }
}

/// Status and code of an answer.
pub(crate) fn said(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}

/// The names in an archive.
pub(crate) fn names_in<R: std::io::Read + std::io::Seek>(archive: &zip::ZipArchive<R>) -> Vec<String> {
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}
