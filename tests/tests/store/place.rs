//! A store that can be closed and opened again.

use std::sync::Arc;

use agcluster_core::store::{DatabaseUrl, MemoryStore, Store, open};
use agcluster_tests::postgres::Postgres;
use tempfile::TempDir;

/// A new store, and what it lies in.
pub(crate) struct Place {
    pub(crate) store: Arc<dyn Store>,
    /// None for memory, which cannot be opened again.
    url: Option<DatabaseUrl>,
    _folder: Option<TempDir>,
}

impl Place {
    pub(crate) fn memory() -> Self {
        Self { store: Arc::new(MemoryStore::new()), url: None, _folder: None }
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display()).parse().unwrap();
        Self { store: open(&url).await.unwrap(), url: Some(url), _folder: Some(folder) }
    }

    pub(crate) async fn postgres(server: &Postgres) -> Self {
        let url = server.new_database().await.unwrap().parse().unwrap();
        Self { store: open(&url).await.unwrap(), url: Some(url), _folder: None }
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(&mut self) {
        if let Some(url) = &self.url {
            self.store.close().await;
            self.store = open(url).await.unwrap();
        }
    }
}
