//! Sessions by the names that clients give their conversations.

use std::sync::Arc;

use super::registry::Earlier;
use super::turns::Idempotency;
use super::{Launch, Result, Session, SessionError, Sessions, Status};

/// Comes before the name of a conversation where it stands among the idempotency keys, which have no such character.
const MARK: char = '\u{1}';

impl Sessions {
    /// The owner's session of this conversation, launched when there is none: however many ask at once, and over any number
    /// of runs of this program. One that has failed is started anew on its workspace, with what was said; for one that was
    /// removed a new one is launched.
    ///
    /// # Errors
    /// As [`launch`](Self::launch) and [`Session::restart`].
    pub async fn conversation(&self, name: &str, launch: Launch) -> Result<Arc<Session>> {
        if self.is_shutting_down() {
            return Err(SessionError::ShuttingDown);
        }
        let idempotency =
            Idempotency { key: format!("{MARK}{name}"), fingerprint: "conversation".to_owned() };
        let launch = Launch { idempotency: Some(idempotency), ..launch };
        let sessions = self.clone();
        // In a task of its own, as every launch.
        let task = tokio::spawn(async move { sessions.conversation_now(launch).await });
        task.await.map_err(|_| SessionError::Removed)?
    }

    async fn conversation_now(&self, launch: Launch) -> Result<Arc<Session>> {
        let found = {
            let key = launch.idempotency.as_ref().map(|named| named.key.as_str()).unwrap_or_default();
            let _key = self.key_lock(&launch.owner, key).await;
            match self.launched_before(&launch).await? {
                Earlier::Session(session) if !session.is_going() => Ok(session),
                earlier => Err(self.write_down(&launch, &earlier).await?),
            }
        };
        match found {
            Ok(session) => self.go_on(session, &launch).await,
            Err(new) => self.bring_up_new(new, launch).await,
        }
    }

    /// Lets a session that is there take turns again.
    async fn go_on(&self, session: Arc<Session>, launch: &Launch) -> Result<Arc<Session>> {
        if let Some(access) = &launch.model_access {
            session.bring_key(&access.api_key);
        }
        if session.missing_credentials().is_some() {
            session.bring_options(launch.agent.options.clone());
        }
        let status = session.state.borrow().status.clone();
        match status {
            Status::Starting => self.until_launched(session, launch).await,
            Status::Failed { .. } => {
                session.revive().await?;
                Ok(session)
            }
            _ => Ok(session),
        }
    }
}

impl Session {
    /// Whether it is being removed.
    fn is_going(&self) -> bool {
        matches!(self.state.borrow().status, Status::Stopping | Status::Stopped)
    }
}
