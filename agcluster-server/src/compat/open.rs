//! The session of a request: found, or launched for its conversation, or for its one answer.

use std::sync::Arc;

use agcluster_core::config::McpEnv;
use agcluster_core::protocol::Settings;
use agcluster_core::session::{Disposable, Idempotency, Launch, Session, Turn, TurnRequest, WhenBusy};

use super::choice::{Choice, no_response, response_id};
use super::messages::Conversation;
use super::models;
use super::talk::Wish;
use crate::auth::Caller;
use crate::{AppState, Problem};

/// Comes before the key of a request where it stands for the launch that the request began, which none of them has in it.
const LAUNCH: char = '\u{2}';

/// A session that a request was led to.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The session.
    pub(crate) session: Arc<Session>,
    /// Removes it when the answer is over.
    pub(crate) disposable: Option<Disposable>,
    /// The model to change to.
    model: Option<String>,
    /// Whether its agent was launched with what the system says.
    knows_system: bool,
}

impl Opened {
    /// Finds or launches the session.
    pub(crate) async fn of(
        state: &AppState,
        caller: &Caller,
        choice: Choice,
        model: &str,
        system: Option<&str>,
    ) -> Result<Self, Problem> {
        match choice {
            Choice::Session(id) => Ok(Self::found(caller.session(state, &id)?)),
            Choice::After(turn) => {
                let job = caller.job(state, &turn.to_string()).await;
                let (_, session) = job.map_err(|problem| match problem.code {
                    "job_not_found" => no_response(&response_id(turn)),
                    _ => problem,
                })?;
                Ok(Self::found(session))
            }
            Choice::Conversation(name) => {
                let model = models::find(state, Some(&caller.owner), model)?;
                // With another configuration it is another agent.
                let name = format!("{}:{name}", model.config.id);
                let launch = launch(state, caller, &model, system)?;
                let session = state.sessions.conversation(&name, launch).await?;
                Ok(Self { session, disposable: None, model: model.chosen, knows_system: true })
            }
            Choice::Own => {
                let launch =
                    launch(state, caller, &models::find(state, Some(&caller.owner), model)?, system)?;
                let disposable = state.sessions.launch_disposable(launch).await?;
                let session = Arc::clone(disposable.session());
                Ok(Self { session, disposable: Some(disposable), model: None, knows_system: true })
            }
        }
    }

    /// Launches a session that stays, for an answer that may be gone on from. With `idempotency`, a repeated request finds the
    /// first one's.
    pub(crate) async fn lasting(
        state: &AppState,
        caller: &Caller,
        model: &str,
        system: Option<&str>,
        idempotency: Option<&Idempotency>,
    ) -> Result<Self, Problem> {
        let launch = launch(state, caller, &models::find(state, Some(&caller.owner), model)?, system)?;
        let launch = Launch { idempotency: idempotency.map(of_launch), ..launch };
        let session = state.sessions.launch(launch).await?;
        Ok(Self { session, disposable: None, model: None, knows_system: true })
    }

    fn found(session: Arc<Session>) -> Self {
        Self { session, disposable: None, model: None, knows_system: false }
    }

    /// Begins the turn of a conversation's new messages. A session that has not been talked to is told the earlier ones. With
    /// `idempotency`, a repeated request gives the first one's turn.
    pub(crate) async fn begin(
        &self,
        state: &AppState,
        conversation: Conversation,
        wish: &Wish,
        idempotency: Option<Idempotency>,
    ) -> Result<Turn, Problem> {
        let session = &self.session;
        let is_first = self.disposable.is_some()
            || state.sessions.turns(session.owner(), Some(session.id()), None, 1).await?.is_empty();
        if let Some(model) = &self.model
            && !is_first
            && session.state().borrow().turn.is_none()
        {
            let settings = Settings { model: Some(model.clone()), ..Settings::default() };
            session.settings(&settings).await?;
        }
        let prompt = match (is_first, self.knows_system) {
            (false, _) => conversation.prompt,
            (true, knows_system) => conversation.told_from_the_beginning(!knows_system),
        };
        let when_busy = if wish.queue { WhenBusy::Queue } else { WhenBusy::Refuse };
        // The name would be kept with a session that is not.
        let idempotency = idempotency.filter(|_| self.disposable.is_none());
        let request = TurnRequest { prompt, when_busy, background: wish.background, idempotency };
        Ok(session.begin(request).await?)
    }
}

/// The key under which the launch for a request is kept, whose own key names its turn.
fn of_launch(request: &Idempotency) -> Idempotency {
    Idempotency { key: format!("{LAUNCH}{}", request.key), fingerprint: request.fingerprint.clone() }
}

fn launch(
    state: &AppState,
    caller: &Caller,
    model: &models::Model,
    system: Option<&str>,
) -> Result<Launch, Problem> {
    let mut options = model.config.to_options(&McpEnv::default(), &state.defaults.agent)?;
    if let Some(system) = system {
        options.append_system_prompt(system);
    }
    if let Some(chosen) = &model.chosen {
        options.options.model = Some(chosen.clone());
    }
    Ok(state.defaults.launch(&model.config, options, caller.key(), None))
}
