//! Putting the agent server into images that have none.
//!
//! It lies in a volume that all such containers share, read-only, named after the digest of its content. The volume is
//! filled once, through a container that is never started. That container's fixed name is a lock among all processes that use
//! the engine; a marker file that is written last tells a volume that was filled from one that was given up half way.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tokio_util::io::ReaderStream;

use super::api::{Api, Created, Failure};
use super::{AGENT_FOLDER, AGENT_PROGRAM, names};

/// Sees to it that the agent server's volume is there.
#[derive(Debug)]
pub(super) struct Injection {
    binary: Option<PathBuf>,
    /// How long another process may take to fill the volume before it is taken for dead.
    patience: Duration,
    /// What was last put into a volume. Held while a volume is filled.
    filled: Mutex<Option<Filled>>,
}

#[derive(Debug, Clone)]
struct Filled {
    version: FileVersion,
    volume: String,
}

/// Changes when a file is replaced or written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// Why nothing could be injected.
#[derive(Debug)]
pub(super) enum NotInjected {
    /// No agent server is configured.
    Unconfigured,
    /// The configured one cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// The engine did not take it.
    Failure(Failure),
}

impl From<Failure> for NotInjected {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The file that is written after the agent server.
const MARKER: &str = "complete";
/// The pause between two tries to take the lock.
const PAUSE: Duration = Duration::from_millis(20);

impl Injection {
    pub(super) fn new(binary: Option<PathBuf>, patience: Duration) -> Self {
        Self { binary, patience, filled: Mutex::new(None) }
    }

    /// The volume with the agent server, filled if it is not. `image` is any image on the engine.
    pub(super) async fn ensure(&self, api: &Api, image: &str) -> Result<String, NotInjected> {
        let path = self.binary.as_deref().ok_or(NotInjected::Unconfigured)?;
        let unreadable = |error| NotInjected::Unreadable(path.to_owned(), error);
        let mut filled = self.filled.lock().await;
        let version = file_version(path).await.map_err(unreadable)?;
        if let Some(filled) = filled.as_ref().filter(|filled| filled.version == version) {
            return Ok(filled.volume.clone());
        }
        let digest = digest_of(path).await.map_err(unreadable)?;
        let volume = names::agent_volume(&digest);
        let upload = Upload { api, image, volume: &volume, binary: path, length: version.length };
        upload.run(self.patience).await?;
        *filled = Some(Filled { version, volume: volume.clone() });
        Ok(volume)
    }

    /// Forgets that the volume is filled, after a sign that it is not.
    pub(super) async fn forget(&self) {
        *self.filled.lock().await = None;
    }
}

/// One filling of a volume.
struct Upload<'a> {
    api: &'a Api,
    image: &'a str,
    volume: &'a str,
    binary: &'a Path,
    length: u64,
}

impl Upload<'_> {
    /// Fills the volume, unless it is filled already.
    async fn run(&self, patience: Duration) -> Result<(), NotInjected> {
        let filler = format!("{}-filling", self.volume);
        // Whoever makes this container has the lock.
        let mut is_patient = true;
        let mut pause = tokio::time::interval(PAUSE);
        while self.api.create_filler(&filler, self.image, self.volume).await? == Created::NameTaken {
            match self.api.wait_until_removed(&filler, patience).await {
                // Or not made yet, which the engine does not tell apart.
                Ok(()) => {}
                // Its owner died, or so it seems; should it live, it writes the same bytes.
                Err(Failure::Timeout) if is_patient => {
                    is_patient = false;
                    remove_filler(self.api, &filler).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
            pause.tick().await;
        }
        let done = self.through(&filler).await;
        remove_filler(self.api, &filler).await?;
        done
    }

    async fn through(&self, filler: &str) -> Result<(), NotInjected> {
        if self.is_complete(filler).await? {
            return Ok(());
        }
        let unreadable = |error| NotInjected::Unreadable(self.binary.to_owned(), error);
        let file = tokio::fs::File::open(self.binary).await.map_err(unreadable)?;
        let program = header("agcluster-agent", self.length, 0o755).map_err(unreadable)?;
        let marker = header(MARKER, 0, 0o444).map_err(unreadable)?;
        let padding = Bytes::from(vec![0; (self.length.next_multiple_of(BLOCK) - self.length) as usize]);
        let tar = stream::iter([Ok(program)])
            .chain(ReaderStream::new(file.take(self.length)))
            .chain(stream::iter([Ok(padding), Ok(marker), Ok(END)]));
        self.api.upload(filler, AGENT_FOLDER, tar).await?;
        if self.is_complete(filler).await? {
            return Ok(());
        }
        Err(Failure::Nonsense("an uploaded file is not there".to_owned()).into())
    }

    async fn is_complete(&self, filler: &str) -> Result<bool, Failure> {
        let marker = self.api.file_size(filler, &format!("{AGENT_FOLDER}/{MARKER}")).await?;
        let program = self.api.file_size(filler, AGENT_PROGRAM).await?;
        Ok(marker.is_some() && program.is_some_and(|size| size.unsigned_abs() == self.length))
    }
}

async fn remove_filler(api: &Api, filler: &str) -> Result<(), Failure> {
    match api.remove(filler).await {
        Err(failure) if failure.is_not_found() || failure.status() == 409 => Ok(()),
        done => done,
    }
}

const BLOCK: u64 = 512;
/// Two blocks of nothing.
const END: Bytes = Bytes::from_static(&[0; 2 * BLOCK as usize]);

/// The block before a file.
fn header(name: &str, length: u64, mode: u32) -> std::io::Result<Bytes> {
    let mut header = tokio_tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(length);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

async fn file_version(path: &Path) -> std::io::Result<FileVersion> {
    let metadata = tokio::fs::metadata(path).await?;
    Ok(FileVersion {
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

async fn digest_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await?;
    let digest = ReaderStream::with_capacity(file, 1 << 16)
        .try_fold(Sha256::new(), |mut digest, piece| async move {
            digest.update(&piece);
            Ok(digest)
        })
        .await?;
    Ok(digest.finalize().to_vec())
}
