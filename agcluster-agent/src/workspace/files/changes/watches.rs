//! The folders that are watched, and what was seen in them lately.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::files::{Changes, ChangesQuery};
use agcluster_protocol::workspace::{Place, Placed, TOO_MANY, WRONG_TYPE};
use axum::response::Response;
use futures::{StreamExt, stream};
use rustix::io::Errno;

use super::watch::Watch;
use super::{AROUND, TOGETHER, lines, size};
use crate::http::Refusal;
use crate::workspace::files::access::{Access, on_disk, relative};
use crate::workspace::files::refuse::{refusal, said};
use crate::workspace::kept::{self, Kept, Read};
use crate::workspace::{WorkspaceConfig, frames};

/// About so many bytes of changes are kept of each.
const KEPT: usize = 512 * 1024;
/// How long a folder is watched that nobody reads of.
const GRACE: Duration = Duration::from_secs(120);
/// The most of those: the kernel holds something for each folder.
const MOST_UNREAD: usize = 8;

/// Everything that is watched.
#[derive(Clone)]
pub(in crate::workspace::files) struct Watches {
    access: Access,
    config: WorkspaceConfig,
    watched: Arc<Mutex<Vec<Watched>>>,
}

#[derive(Clone)]
struct Watched {
    path: PathBuf,
    kept: Arc<Kept<Changes>>,
}

impl Watches {
    pub(in crate::workspace::files) fn new(access: Access, config: &WorkspaceConfig) -> Self {
        Self { access, config: config.clone(), watched: Arc::default() }
    }

    /// Tells changes beneath a folder, those of a moment together. Without a place to go on from, the first line has none and
    /// comes when it watches.
    pub(in crate::workspace::files) async fn tell(&self, query: ChangesQuery) -> Result<Response, Refusal> {
        let ChangesQuery { path, after } = query;
        let path = relative(&path)?;
        let (begun, kept, from) = match after {
            Some(place) => {
                let kept = self.find(&path, place).ok_or_else(kept::gone)?;
                let from = kept.behind(Some(place))?;
                (None, kept, from)
            }
            None => {
                let (begun, kept) = self.begin(path).await?;
                (Some(begun), kept, 0)
            }
        };
        let told = kept.follow(from).map(|read| match read {
            Read::Frame(placed) => placed,
            // More than is told: the reader has to look itself.
            Read::Lost(place) => {
                Placed { frame: Changes { overflow: true, ..Changes::default() }, place: Some(place) }
            }
        });
        Ok(frames::respond(stream::iter(begun).chain(told), Placed::nowhere(Changes::default())))
    }

    fn watched(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, path: &Path, place: Place) -> Option<Arc<Kept<Changes>>> {
        let watched = self.watched();
        let found =
            watched.iter().find(|watched| watched.path == path && watched.kept.epoch() == place.epoch);
        found.map(|watched| watched.kept.clone())
    }

    async fn begin(&self, path: PathBuf) -> Result<(Placed<Changes>, Arc<Kept<Changes>>), Refusal> {
        self.forget_unread();
        let (access, of) = (self.access.clone(), path.clone());
        let watch = on_disk(move || {
            let folder = access.folder(&of)?;
            if !folder.dir_metadata().is_ok_and(|found| found.is_dir()) {
                return Err(Refusal::new(WRONG_TYPE, format!("{} is no folder", said(&of))));
            }
            Watch::of(folder, of.clone()).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE | Errno::NOSPC) => {
                    Refusal::new(TOO_MANY, "too much is watched already: end another stream of changes")
                }
                _ => refusal(&error, &of),
            })
        });
        let mut watch = watch.await?.listen().map_err(|error| {
            Refusal::new(codes::INTERNAL, format!("changes cannot be waited for: {error}"))
        })?;
        let kept = Arc::new(Kept::new(KEPT));
        let begun = Changes { partial: watch.is_partial(), ..Changes::default() };
        let begun = Placed { frame: begun, place: Some(Place { epoch: kept.epoch(), number: 0 }) };
        self.watched().push(Watched { path, kept: kept.clone() });
        let (watches, seen, closing) = (self.clone(), kept.clone(), self.config.closing.clone());
        self.config.tasks.spawn(async move {
            let watching = async {
                while watch.readable().await.is_ok() {
                    tokio::time::sleep(TOGETHER).await;
                    let collected = tokio::task::spawn_blocking(move || (watch.collect(), watch));
                    let Ok((Ok(changes), rest)) = collected.await else { return };
                    watch = rest;
                    for line in lines(changes) {
                        let bytes = line.changes.iter().map(size).sum::<usize>() + AROUND;
                        seen.write(line, bytes);
                    }
                }
            };
            tokio::select! {
                () = watching => {}
                () = seen.abandoned(GRACE) => {}
                () = closing.cancelled() => {}
                () = seen.ended() => {}
            }
            seen.end();
            watches.watched().retain(|watched| !Arc::ptr_eq(&watched.kept, &seen));
        });
        Ok((begun, kept))
    }

    /// Of what nobody reads of, only the newest stay.
    fn forget_unread(&self) {
        let mut watched = self.watched();
        let unread = watched.iter().filter(|watched| !watched.kept.is_read()).count();
        let mut surplus = (unread + 1).saturating_sub(MOST_UNREAD);
        watched.retain(|watched| {
            let goes = surplus > 0 && !watched.kept.is_read();
            if goes {
                surplus -= 1;
                watched.kept.end();
            }
            !goes
        });
    }
}
