//! The agent server as a file of this machine, ready to be uploaded.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::api::{File, pack};

/// The file, and what it was packed into last.
#[derive(Debug)]
pub(super) struct Uploads {
    binary: PathBuf,
    packed: Mutex<Option<Packed>>,
}

#[derive(Debug)]
struct Packed {
    version: Version,
    path: String,
    bytes: Bytes,
}

/// Changes when a file is replaced or written.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// No agent server is longer; the file is held in memory.
const LONGEST: u64 = 64 << 20;

impl Uploads {
    pub(super) fn new(binary: PathBuf) -> Self {
        Self { binary, packed: Mutex::new(None) }
    }

    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// The file as an upload to this path, packed once for as long as it does not change.
    pub(super) async fn packed(&self, path: &str) -> io::Result<Bytes> {
        let mut packed = self.packed.lock().await;
        let metadata = tokio::fs::metadata(&self.binary).await?;
        let version = Version {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if version.length > LONGEST {
            return Err(io::Error::other("the file is too long to be an agent server"));
        }
        if let Some(last) = packed.as_ref().filter(|last| last.version == version && last.path == path) {
            return Ok(last.bytes.clone());
        }
        let content = tokio::fs::read(&self.binary).await?;
        let to = path.to_owned();
        let packing = move || pack(&File { path: &to, mode: 0o755, content: &content });
        let bytes = tokio::task::spawn_blocking(packing).await.map_err(io::Error::other)??;
        *packed = Some(Packed { version, path: path.to_owned(), bytes: bytes.clone() });
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_packed_anew_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent");
        tokio::fs::write(&path, vec![7; 100_000]).await.unwrap();
        let uploads = Uploads::new(path.clone());
        let first = uploads.packed("/v/agent").await.unwrap();
        assert!(first.len() < 10_000, "it is compressed");
        assert_eq!(uploads.packed("/v/agent").await.unwrap().as_ptr(), first.as_ptr());
        tokio::fs::write(&path, vec![8; 100_001]).await.unwrap();
        assert_ne!(uploads.packed("/v/agent").await.unwrap(), first);
        assert!(Uploads::new(folder.path().join("none")).packed("/v").await.is_err());
    }
}
