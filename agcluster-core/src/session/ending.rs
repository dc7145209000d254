//! How sessions end: one is removed, all are, or all are let go of.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::FailureReason;
use futures::StreamExt;
use tokio::time::sleep;
use tracing::Instrument;

use super::bring_up::{destroy_all, detach};
use super::lifecycle::changed;
use super::registry::audit;
use super::session_handle::Along;
use super::{Result, Session, SessionError, SessionId, Sessions, Status};
use crate::journal::{Entry, Patience};
use crate::provider::DestroyOptions;
use crate::store::Change;

/// How many sessions are removed at a time when all are.
const REMOVALS: usize = 16;
/// Between two tries to write down that a session is removed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long those who still read a removed session may take to read how it ended.
const LAST_READERS: Duration = Duration::from_secs(60);
/// How long they may take when this application ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Sessions {
    /// Ends a session: its running turn, its container, its workspace, its journal. Removing what is unknown is success.
    ///
    /// # Errors
    /// [`SessionError::Provider`] when the platform does not remove it; the session stays known and can be removed again.
    /// [`SessionError::Journal`] when the store does not work. The session goes on if that was known before; if it only
    /// turns out now, it is removed as soon as the store works.
    pub async fn remove(&self, id: &SessionId) -> Result<()> {
        let Some(session) = self.get(id) else { return Ok(()) };
        let sessions = self.clone();
        // In a task of its own: a caller who leaves does not leave half a session behind.
        let span = tracing::info_span!("remove", session = session.id.as_str());
        let removal = async move {
            let had_begun = session.cancel.is_cancelled();
            let removed = sessions.remove_now(&session).await;
            let is_undecided = removed.as_ref().is_err_and(SessionError::is_undecided_by_the_store);
            if is_undecided && session.cancel.is_cancelled() && (!had_begun || sessions.is_shutting_down()) {
                sessions.remove_later(session);
            }
            removed
        };
        tokio::spawn(removal.instrument(span)).await.map_err(|_| SessionError::Removed)?
    }

    /// Removes a session that nobody asks to be removed again.
    pub(super) async fn remove_now_or_later(&self, session: &Arc<Session>) -> Result<()> {
        let removed = self.remove(&session.id).await;
        if removed.as_ref().is_err_and(SessionError::is_undecided_by_the_store) {
            self.remove_later(Arc::clone(session));
        }
        removed
    }

    /// Removes a session as soon as that can be written down.
    fn remove_later(&self, session: Arc<Session>) {
        let sessions = self.clone();
        let removal = async move {
            let mut trouble = sessions.inner.journal.trouble();
            loop {
                let _ = trouble.wait_for(Option::is_none).await;
                match sessions.remove_now(&session).await {
                    Err(error) if error.is_undecided_by_the_store() => sleep(PAUSE).await,
                    Err(error) => {
                        tracing::error!(session = %session.id, %error, "a session could not be removed");
                        return;
                    }
                    Ok(()) => return,
                }
            }
        };
        self.at_the_end(removal);
    }

    /// Lets something be done that this application waits for a moment when it ends, and the next start does otherwise.
    fn at_the_end(&self, ending: impl Future<Output = ()> + Send + 'static) {
        let cut_off = self.inner.cut_off.clone();
        self.inner.endings.spawn(async move { cut_off.run_until_cancelled(ending).await });
    }

    async fn remove_now(&self, session: &Arc<Session>) -> Result<()> {
        let journal = &self.inner.journal;
        journal.check()?;
        session.cancel.cancel();
        let _lifecycle = journal.while_it_works(session.lifecycle.lock()).await?;
        let _carrier = journal.while_it_works(detach(session)).await?;
        if self.get(&session.id).is_none() {
            return Ok(());
        }
        // The intent first: a removal that is cut off is finished after the next start.
        let intent = session.change(Patience::Short, |state| {
            // An earlier try that came too late, or an earlier run's.
            if state.status == Status::Stopping {
                return Ok(Along::default());
            }
            state.go(Status::Stopping)?;
            let mut along = session.abandon(state, FailureReason::SessionStopped, "the session was removed");
            along.changes.push(Change::Audit(audit("session.removed", &session.owner, &session.id)));
            Ok(along)
        });
        intent.await?;
        if let Err(error) = destroy_all(session, DestroyOptions::default()).await {
            let reason = format!("it could not be removed: {error}");
            let _ = session.announce(Status::Failed { reason: reason.clone() }, Some(&reason)).await;
            return Err(error);
        }
        self.forget(session, None).await;
        Ok(())
    }

    /// Says that a session is over and drops it, once those who read it have read how it ended.
    pub(super) async fn forget(&self, session: &Arc<Session>, idempotency: Option<String>) {
        let stopped = changed(&Status::Stopped, None);
        let key = idempotency.map(|key| Change::RemoveIdempotency { owner: session.owner, key });
        let said = session.change(Patience::Short, |state| {
            state.go(Status::Stopped)?;
            let entries = vec![Entry::own(state.generation, None, stopped)];
            Ok(Along { entries, changes: key.into_iter().collect() })
        });
        if let Err(error) = said.await {
            tracing::warn!(session = %session.id, %error, "the end of a session could not be written down yet");
        }
        self.sessions_mut(|sessions| sessions.remove(&session.id));
        let (journal, id) = (self.inner.journal.clone(), session.id.clone());
        let ending = async move {
            journal.close(&id, LAST_READERS).await;
            journal.forget(&id);
            if let Err(error) =
                journal.commit(vec![Change::RemoveSession(id.clone())], Patience::Endless).await
            {
                tracing::error!(session = %id, %error, "a session's journal could not be removed");
            }
        };
        self.at_the_end(ending);
    }

    /// Waits until nothing more is written of sessions that were removed.
    async fn end_endings(&self) {
        self.inner.endings.close();
        if tokio::time::timeout(LAST_WORDS, self.inner.endings.wait()).await.is_err() {
            self.inner.cut_off.cancel();
            self.inner.endings.wait().await;
        }
    }

    /// Takes no new sessions, removes all there are, and answers when they are gone and nothing more is written. Whoever reads
    /// one has some seconds to read how it ended.
    pub async fn shutdown(&self) {
        self.inner.shutdown.cancel();
        let removals = self.list().into_iter().map(|session| async move {
            if let Err(error) = self.remove(&session.id).await {
                tracing::error!(session = %session.id, %error, "a session could not be removed at shutdown");
            }
        });
        futures::stream::iter(removals).buffer_unordered(REMOVALS).collect::<()>().await;
        self.end_endings().await;
    }

    /// Takes no new sessions and lets go of those there are: they go on without this application, and the next one that
    /// opens the same store finds them again. Answers when nothing more is written.
    pub async fn release(&self) {
        self.inner.shutdown.cancel();
        for session in self.list() {
            // What cannot be written down now waits in the agent servers for the next application.
            let _ = self.inner.journal.while_it_works(detach(&session)).await;
        }
        self.inner.journal.end_readers();
        self.end_endings().await;
    }

    /// Whether [`shutdown`](Self::shutdown) or [`release`](Self::release) has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    /// Ends when [`shutdown`](Self::shutdown) or [`release`](Self::release) begins.
    pub async fn shutting_down(&self) {
        self.inner.shutdown.cancelled().await;
    }
}
