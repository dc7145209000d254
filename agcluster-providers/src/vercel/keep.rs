//! Removing a container, with or without its workspace.
//!
//! To keep a workspace is to keep a snapshot. The sandbox stays as its owner: it stands still, and a tag says which snapshot
//! it is. The session's next container begins with it.

use agcluster_core::provider::{ContainerId, Error, Result};

use super::api::{Failure, Seen, Status};
use super::error::About;
use super::shared::Shared;
use super::tags::{self, Tagged};
use super::wait;
use crate::name::Name;

const DESTROY: &str = "destroy";

impl Shared {
    /// Removes a container; what is gone already is success.
    pub(super) async fn destroy(&self, id: &ContainerId) -> Result<()> {
        let Some(Name::Container(name)) = Name::of(id) else { return Ok(()) };
        let explain = |failure| self.explain(failure, DESTROY, About::Container(name));
        // With `persistent` there may be a snapshot for every time it was stopped.
        let with_snapshots = self.config.persistent;
        let mut patience = wait::Patience::new(&self.api);
        let gone = loop {
            let answer = self.api.delete(name, with_snapshots).await;
            if !patience.again(&answer).await {
                break answer;
            }
        };
        let sandbox = match gone {
            Ok(sandbox) => sandbox,
            Err(failure) if failure.status() == 404 => return Ok(()),
            Err(failure) => return Err(explain(failure)),
        };
        let kept = tags::read(&sandbox.tags).and_then(|tagged| tagged.kept);
        match kept {
            Some(snapshot) if !with_snapshots => match self.api.delete_snapshot(&snapshot).await {
                Err(failure) if !matches!(failure.status(), 404 | 410) => Err(explain(failure)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Ends a container and keeps its workspace for the session's next one.
    pub(super) async fn keep(&self, id: &ContainerId) -> Result<()> {
        let Some(Name::Container(name)) = Name::of(id) else { return Ok(()) };
        let explain = |failure| self.explain(failure, DESTROY, About::Container(name));
        let seen = match self.api.get(name).await {
            Ok(seen) => seen,
            Err(failure) if failure.status() == 404 => return Ok(()),
            Err(failure) => return Err(explain(failure)),
        };
        let labels = match tags::read(&seen.sandbox.tags) {
            Some(Tagged { kept: Some(_), .. }) => return Ok(()),
            Some(Tagged { labels, .. }) => labels,
            // Not ours: never touched.
            None => return Ok(()),
        };
        match self.saved(&seen, self.snapshot_expiration_ms()).await.map_err(explain)? {
            Some(snapshot) => {
                let tags = tags::of(&labels, Some(&snapshot));
                self.api.set_tags(name, &tags).await.map_err(explain)
            }
            // It ended before its files were saved: there is nothing to keep.
            None => self.destroy(id).await,
        }
    }

    /// The snapshot that has a container's files; made now if it runs, which ends it. `None` when there is none.
    pub(super) async fn saved(&self, seen: &Seen, expiration_ms: u64) -> Result<Option<String>, Failure> {
        let session = wait::until_up(&self.api, seen.session.clone()).await?;
        if session.status == Status::Running {
            match self.api.snapshot(&session.id, expiration_ms).await {
                Ok(snapshot) => {
                    wait::until_over(&self.api, self.api.session(&session.id).await?).await?;
                    return Ok(Some(snapshot.id));
                }
                // It ended between the two calls.
                Err(failure) if failure.is_stopped() || failure.is_stopping() => {}
                Err(failure) => return Err(failure),
            }
        }
        wait::until_over(&self.api, self.api.session(&session.id).await?).await?;
        Ok(self.api.snapshots(&seen.sandbox.name).await?.into_iter().next().map(|snapshot| snapshot.id))
    }

    /// Saves a container's files under a name, which ends it.
    pub(super) async fn snapshot(&self, id: &ContainerId) -> Result<String> {
        const SNAPSHOT: &str = "snapshot";
        let seen = self.running(id, SNAPSHOT).await?;
        let explain =
            |failure: Failure| -> Error { self.explain(failure, SNAPSHOT, About::Container(&id.0)) };
        let expiration = self.snapshot_expiration_ms();
        let snapshot = self.api.snapshot(&seen.session.id, expiration).await.map_err(explain)?;
        let session = self.api.session(&seen.session.id).await.map_err(explain)?;
        wait::until_over(&self.api, session).await.map_err(explain)?;
        Ok(snapshot.id)
    }
}
