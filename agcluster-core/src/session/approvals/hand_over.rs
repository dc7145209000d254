//! Decisions on their way to the agent, and the ones that nobody makes.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::event::{AnsweredBy, RequestAnswer};
use agcluster_protocol::{Answer, Decision, codes};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::OnTimeout;
use crate::agent::AgentError;
use crate::journal::Patience;
use crate::session::lifetime::left;
use crate::session::session_handle::Along;
use crate::session::{Result, Session, SessionError};

/// Pauses between tries to hand a decision to an agent server that cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Hands over what was decided before, and decides what nobody does in time, until the session lets go of this agent server.
pub(in crate::session) fn keep(session: &Arc<Session>, attachment: CancellationToken) {
    let session = Arc::clone(session);
    tokio::spawn(async move {
        let asked = session.state.borrow().asked.clone();
        for answer in asked.into_iter().filter_map(|asked| asked.answer) {
            tokio::spawn(Arc::clone(&session).hand_over_later(answer));
        }
        attachment.run_until_cancelled(session.expire_in_time()).await;
    });
}

impl Session {
    /// Hands a decision over. An agent that cannot be reached gets it later: the decision stands. Only a refusal is an error,
    /// and then the request is open again.
    pub(super) async fn hand_over_decision(self: &Arc<Self>, answer: &RequestAnswer) -> Result<()> {
        match self.pass_on(answer).await {
            Err(error) if is_undecided(&error) => {
                tokio::spawn(Arc::clone(self).hand_over_later(answer.clone()));
                Ok(())
            }
            Err(error) => {
                self.take_back(answer).await;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    async fn pass_on(&self, answer: &RequestAnswer) -> Result<()> {
        let RequestAnswer { request_id, decision, .. } = answer.clone();
        match self.client().await?.answer(&Answer { request_id, decision }).await {
            // It has the decision already, or wants it no more; its events say which.
            Err(error) if error.is_refusal(codes::UNKNOWN_REQUEST) => Ok(()),
            other => Ok(other?),
        }
    }

    /// A decision that was not written down in time may be yet: then it stands, and the agent gets it.
    pub(super) async fn hand_over_if_written(self: Arc<Self>, answer: RequestAnswer) {
        drop(self.changing.lock().await);
        self.hand_over_later(answer).await;
    }

    /// Hands a decision over until the agent has it or the request is open no more.
    async fn hand_over_later(self: Arc<Self>, answer: RequestAnswer) {
        let mut pause = FIRST_PAUSE;
        while self.state.borrow().asked.iter().any(|asked| asked.answer.as_ref() == Some(&answer)) {
            match self.pass_on(&answer).await {
                Ok(()) => return,
                Err(error) if is_undecided(&error) => {
                    if self.cancel.run_until_cancelled(sleep(pause)).await.is_none() {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(session = %self.id, %error, "an agent did not take a decision");
                    // What expired stays denied, whatever the agent says.
                    if answer.by == AnsweredBy::Owner {
                        self.take_back(&answer).await;
                    }
                    return;
                }
            }
        }
    }

    /// Opens a request again whose decision the agent did not take.
    async fn take_back(&self, answer: &RequestAnswer) {
        let taken_back = self.change(Patience::Endless, |state| {
            let open = state.asked.iter_mut().find(|asked| asked.answer.as_ref() == Some(answer));
            let asked = open.ok_or_else(|| SessionError::UnknownRequest(answer.request_id.clone()))?;
            asked.answer = None;
            Ok(Along::default())
        });
        if let Err(error) = taken_back.await {
            tracing::debug!(session = %self.id, %error, "a refused decision is out of date");
        }
    }

    /// Decides each request that is open when its time is over.
    async fn expire_in_time(self: &Arc<Self>) {
        let mut state = self.state.subscribe();
        loop {
            let open = |asked: &&super::Asked| asked.answer.is_none();
            let first =
                state.borrow_and_update().asked.iter().filter(open).map(|asked| asked.expires_at).min();
            let due = async {
                match first {
                    Some(at) => sleep(left(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                () = due => self.expire(Timestamp::now()).await,
            }
        }
    }

    async fn expire(self: &Arc<Self>, now: Timestamp) {
        let due: Vec<String> = {
            let state = self.state.borrow();
            let due = state.asked.iter().filter(|asked| asked.answer.is_none() && asked.expires_at <= now);
            due.map(|asked| asked.request_id.clone()).collect()
        };
        let seconds = self.approvals.patience().as_secs();
        let interrupt = self.approvals.on_timeout.unwrap_or_default() == OnTimeout::Interrupt;
        for request_id in due {
            let message = format!("Nobody answered within {seconds} s, so this is not allowed.");
            let decision = Decision::Deny { message, interrupt };
            let answer = RequestAnswer { request_id, by: AnsweredBy::Timeout, reason: None, decision };
            let session = Arc::clone(self);
            // In a task of its own, which is not cut off when the session lets go of its agent server.
            let expiring = tokio::spawn(async move {
                match session.write_down(&answer, Patience::Endless).await {
                    Ok(_) => session.hand_over_later(answer).await,
                    // It was answered at the last moment.
                    Err(error) => tracing::debug!(session = %session.id, %error, "a request did not expire"),
                }
            });
            if let Err(error) = expiring.await {
                tracing::error!(session = %self.id, %error, "a request could not be let expire");
            }
        }
    }
}

/// Whether the agent may get the decision yet.
fn is_undecided(error: &SessionError) -> bool {
    match error {
        SessionError::Agent(error) => AgentError::is_retryable(error),
        SessionError::Unreachable(_) | SessionError::NotRunning { .. } => true,
        _ => false,
    }
}
