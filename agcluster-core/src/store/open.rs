//! Opening a store.

use std::sync::Arc;

use super::url::Place;
use super::{DatabaseUrl, MemoryStore, Result, Store};

/// Opens a store, making it where it is not there yet. No other process can open it until this one ends or
/// [closes](Store::close) it.
///
/// SQLite syncs its file to the disk with each checkpoint but not with each commit: what was committed outlives any end of
/// this process, and a power cut or a crash of the whole machine can take the last seconds with it, never a part of a
/// commit. Agents on that machine are gone then anyhow, and waiting for a disk would cost every event its milliseconds;
/// who wants it nevertheless writes `?synchronous=full` behind the path. PostgreSQL does as it is configured.
///
/// # Errors
/// [`StoreError::Open`](super::StoreError::Open) says in one sentence what is wrong,
/// [`StoreError::InUse`](super::StoreError::InUse) that another process has it,
/// [`StoreError::Newer`](super::StoreError::Newer) that a newer version has written it.
pub async fn open(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    match url.place() {
        Place::Memory => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "sqlite")]
        Place::Sqlite(file) => Ok(Arc::new(super::sqlite::open(url, file).await?)),
        #[cfg(feature = "postgres")]
        Place::Postgres(address) => Ok(Arc::new(super::postgres::open(url, address).await?)),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(super::StoreError::Open(format!(
            "this program was built without what {url} needs: set DATABASE_URL to another database"
        ))),
    }
}
