//! One at a time changes a session, among all processes that use the same folder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

/// A lock that is held. It is given up when this is dropped, or with the process.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

/// How long others may take, stopping an agent server that is slow to end included.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two tries: the kernel tells of a file lock's end only to threads that it blocks.
const PAUSE: Duration = Duration::from_millis(5);

impl Lock {
    /// Takes the lock, waiting for it.
    ///
    /// # Errors
    /// `TimedOut` when others hold it for too long.
    pub(super) async fn take(path: &Path) -> io::Result<Self> {
        let taken = async {
            let mut pause = tokio::time::interval(PAUSE);
            loop {
                pause.tick().await;
                if let Some(lock) = Self::try_take(path)? {
                    return Ok(lock);
                }
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Whoever held it before may have removed the file: then this one is nobody's lock.
        let is_current = fs::metadata(path).is_ok_and(|current| {
            file.metadata().is_ok_and(|own| own.ino() == current.ino() && own.dev() == current.dev())
        });
        Ok(is_current.then(|| Self { path: path.to_owned(), file }))
    }

    /// Gives it up and removes its file: nothing is left that it guards.
    pub(super) fn remove(self) -> io::Result<()> {
        super::layout::remove_file(&self.path)?;
        drop(self.file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_held_by_one_at_a_time_also_when_its_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).await.unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { Lock::take(&path).await }
        });
        first.remove().unwrap();
        let second = waiting.await.unwrap().unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(second);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }
}
