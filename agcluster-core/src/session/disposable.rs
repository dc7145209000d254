//! Sessions for one answer.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Launch, Result, Session, SessionError, Sessions};

/// A session for one answer: dropping this removes it, with its turn, its container and its workspace. What is not removed
/// because the application ends before, the next one removes when it adopts.
#[derive(Debug)]
pub struct Disposable {
    sessions: Sessions,
    session: Arc<Session>,
}

impl Disposable {
    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Disposable {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (sessions, session) = (self.sessions.clone(), Arc::clone(&self.session));
        runtime.spawn(async move {
            if let Err(error) = sessions.remove_now_or_later(&session).await {
                tracing::warn!(session = %session.id(), %error, "a session for one answer could not be removed yet");
            }
        });
    }
}

impl Sessions {
    /// Launches a session for one answer. A caller who leaves meanwhile leaves nothing behind.
    ///
    /// # Errors
    /// As [`launch`](Self::launch).
    pub async fn launch_disposable(&self, launch: Launch) -> Result<Disposable> {
        let sessions = self.clone();
        let launch = Launch { disposable: true, idempotency: None, ..launch };
        // What this task gives is dropped with it when nobody waits any more.
        let task = tokio::spawn(async move {
            let session = sessions.launch(launch).await?;
            Ok(Disposable { sessions, session })
        });
        task.await.map_err(|_| SessionError::Removed)?
    }
}
