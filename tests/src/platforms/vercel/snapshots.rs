//! Saved files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::objects::{now, of_sandbox, of_session, of_snapshot};
use super::reply::{Answer, Refusal, Reply};
use super::world::{Inner, Status, World};

/// The files of a session that ended.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) id: String,
    /// The engine's image.
    pub(super) image: String,
    pub(super) sandbox: String,
    pub(super) session: String,
    pub(super) region: String,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) automatic: bool,
    pub(super) deleted: bool,
}

impl World {
    /// The image of a snapshot.
    pub(super) fn image_of_snapshot(&self, id: &str) -> Result<String, Refusal> {
        let gone = || Refusal::new(410, "snapshot_not_found", "Snapshot not found");
        let inner = self.inner();
        let snapshot = inner.snapshots.get(id).filter(|snapshot| !snapshot.deleted).ok_or_else(gone)?;
        if snapshot.expires_at.is_some_and(|at| at <= now()) {
            Err(gone())
        } else {
            Ok(snapshot.image.clone())
        }
    }

    /// Saves a session's files on request, which ends it.
    pub(super) async fn take_snapshot(self: &Arc<Self>, session: &str, body: &Value) -> Answer {
        let session = self.session(session)?;
        session.running()?;
        session.go(Status::Snapshotting);
        let saved = self.save(&session, false).await;
        let mut snapshot = match saved {
            Ok(snapshot) => snapshot,
            Err(error) => {
                session.go(Status::Running);
                return Err(error.into());
            }
        };
        if let Some(expiration) = body["expiration"].as_i64() {
            snapshot.expires_at = (expiration > 0).then(|| now() + expiration);
            self.inner().snapshots.insert(snapshot.id.clone(), snapshot.clone());
        }
        let answer = json!({"snapshot": of_snapshot(&snapshot), "session": of_session(&session)});
        // The session ends after the answer.
        let world = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = world.finish(&session).await {
                world.violation(format!("the fake could not end {}: {error:#}", session.id));
            }
            session.go(Status::Stopped);
        });
        Ok(Reply::Json(answer))
    }

    pub(super) fn list_snapshots(&self, name: Option<&str>) -> Answer {
        let inner = self.inner();
        let mut found: Vec<_> = inner
            .snapshots
            .values()
            .filter(|snapshot| !snapshot.deleted && name.is_none_or(|name| snapshot.sandbox == name))
            .collect();
        found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.created_at));
        let snapshots: Vec<_> = found.into_iter().map(of_snapshot).collect();
        let count = snapshots.len();
        Ok(Reply::Json(json!({"snapshots": snapshots, "pagination": {"count": count, "next": null}})))
    }

    pub(super) fn snapshot(&self, id: &str, delete: bool) -> Answer {
        let mut inner = self.inner();
        let snapshot = inner.snapshots.get_mut(id).ok_or_else(|| Refusal::not_found("Snapshot"))?;
        snapshot.deleted |= delete;
        Ok(Reply::Json(json!({"snapshot": of_snapshot(snapshot)})))
    }

    pub(super) fn stop_session(self: &Arc<Self>, id: &str) -> Answer {
        let session = self.session(id)?;
        session.running()?;
        self.begin_end(&session);
        let mut answer = json!({"session": of_session(&session)});
        if let Ok(sandbox) = self.sandbox(&session.sandbox) {
            answer["sandbox"] = of_sandbox(&sandbox, &session);
        }
        Ok(Reply::Json(answer))
    }
}

impl Inner {
    /// Deletes those snapshots of a sandbox that is gone which no other one uses.
    pub(super) fn delete_orphans(&mut self, name: &str) {
        let used: Vec<_> = self
            .sandboxes
            .values()
            .flat_map(|sandbox| sandbox.current_snapshot.iter().chain(&sandbox.session.source))
            .cloned()
            .collect();
        for snapshot in self.snapshots.values_mut().filter(|snapshot| snapshot.sandbox == name) {
            snapshot.deleted |= !used.contains(&snapshot.id);
        }
    }
}
