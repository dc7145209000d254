//! A request that talks to an agent, from its headers to its answer, whichever API it was made to.

use agcluster_core::protocol::{TurnEnd, TurnId};
use agcluster_core::session::{Disposable, SessionId, Turn};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::answer::{Answer, Part};
use super::choice::Choice;
use super::failure::{self, Finish};
use super::messages::Conversation;
use super::open::Opened;
use super::stream::{self, Projection, Source};
use crate::auth::Caller;
use crate::cursor::{self, Cursor};
use crate::extract::Digested;
use crate::routes::{chat::named, idempotency};
use crate::{AppState, Problem};

/// A request that talks to an agent.
#[derive(Debug)]
pub(crate) struct Talk<T> {
    /// What it says beside its body.
    pub(crate) asked: Asked,
    /// Its body.
    pub(crate) request: T,
}

/// What a request says beside its body.
#[derive(Debug)]
pub(crate) struct Asked {
    /// All of its headers.
    pub(crate) headers: HeaderMap,
    state: AppState,
    digest: String,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Talk<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let Digested { body, digest } = Digested::from_request(request, state).await?;
        Ok(Self { asked: Asked { headers, state: state.clone(), digest }, request: body })
    }
}

/// Which agent and which session a body asks for, and how it wants its turn.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// The configuration, and maybe the model.
    pub(crate) model: String,
    /// The user's name and the parameter that has it.
    pub(crate) user: Option<(&'static str, String)>,
    /// The response that it goes on from.
    pub(crate) previous: Option<String>,
    /// Whether a session that is launched for it stays.
    pub(crate) lasting: bool,
    /// Whether it waits for a running turn.
    pub(crate) queue: bool,
    /// Whether nobody waits for it.
    pub(crate) background: bool,
}

impl Asked {
    /// Begins the turn, in the session that the request belongs to.
    pub(crate) async fn begin(
        self,
        caller: &Caller,
        wish: Wish,
        conversation: Conversation,
    ) -> Result<Begun, Problem> {
        let user = wish.user.as_ref().map(|(param, name)| (*param, name.as_str()));
        let choice = Choice::of(&self.headers, wish.previous.as_deref(), user)?;
        let idempotency = idempotency::of(&self.headers, self.digest)?;
        let cursor = idempotency::cursor(&self.headers, idempotency.as_ref())?;
        let system = conversation.system.as_deref();
        let opened = match choice {
            Choice::Own if wish.lasting => {
                Opened::lasting(&self.state, caller, &wish.model, system, idempotency.as_ref()).await?
            }
            Choice::Own if cursor.is_some() => {
                let detail = "only an answer in a conversation can be gone on with: send its X-Conversation-ID or X-Session-ID";
                return Err(Problem::bad_request("session_id_missing", detail));
            }
            choice => Opened::of(&self.state, caller, choice, &wish.model, system).await?,
        };
        let session = &opened.session;
        let cursor = cursor::of_session(cursor, session).await?;
        let turn = opened.begin(&self.state, conversation, &wish, idempotency).await?;
        // Of one that is gone on with it must be known whether there is more to come.
        let over = match cursor {
            None => false,
            Some(_) => !self.state.sessions.turn(turn.id(), caller.owner).await?.0.state.is_open(),
        };
        Ok(Begun { session: session.id().clone(), turn, cursor, over, disposable: opened.disposable })
    }
}

/// A turn that was begun for a request. A session for this one answer goes with it.
#[derive(Debug)]
pub(crate) struct Begun {
    session: SessionId,
    turn: Turn,
    cursor: Option<Cursor>,
    over: bool,
    disposable: Option<Disposable>,
}

impl Begun {
    /// The turn's name.
    pub(crate) fn id(&self) -> TurnId {
        self.turn.id()
    }

    /// Answers with the turn as a stream, from its beginning or behind what the client has of it.
    pub(crate) async fn stream(self, projection: impl Projection) -> Response {
        let (id, after) = (self.id(), self.turn.after());
        let Self { session, turn, cursor, over, disposable } = self;
        let source = Source { records: turn.boxed(), after, cursor, over, disposable };
        named(stream::response(source, projection).await, &session, id)
    }

    /// Answers once the turn has ended: with what came of it, or the problem of one that failed.
    pub(crate) async fn whole<R: IntoResponse>(
        self,
        render: impl FnOnce(Vec<Part>, &TurnEnd, Finish) -> R,
    ) -> Result<Response, Problem> {
        let id = self.id();
        let (parts, end) = Answer::wait(self.turn).await?;
        let response = match failure::finish(&end) {
            Ok(finish) => render(parts, &end, finish).into_response(),
            Err(problem) => failure::response(problem),
        };
        Ok(named(response, &self.session, id))
    }

    /// Answers at once, and leaves the turn to itself.
    pub(crate) fn at_once(self, answer: impl IntoResponse) -> Response {
        named(answer.into_response(), &self.session, self.turn.id())
    }
}
