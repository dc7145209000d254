//! `/sessions`: a list of them, what was said, their names, their ends.

use std::sync::Arc;

use agcluster_core::protocol::DriverKind;
use agcluster_core::session::{Session, SessionId};
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::generate::{self, Wanted};
use super::sdk_frames;
use super::sdk_messages::SdkMessageList;
use super::whose::{self, uuid_of};
use super::{Stamped, stamped};
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::openapi::problems::{AGENT, BODY, CALLER, PROVIDER, RUNNING, SESSION, problems};
use crate::{AppState, Problem};

/// Events that are read at a time for a list of messages.
const PAGE: usize = 256;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(rename, delete))
        .routes(routes!(messages))
}

problems!(ListProblems in SHAPE => CALLER);
problems!(CreateProblems in SHAPE => CALLER, BODY, PROVIDER, AGENT, RUNNING, ["invalid_session_id", "session_exists", "agent_unknown", "config_not_found", "config_invalid"]);
problems!(RenameProblems in SHAPE => SESSION, BODY, ["invalid_session_id", "session_removed", "store_unavailable"]);
problems!(DeleteProblems in SHAPE => SESSION, PROVIDER, ["invalid_session_id", "session_removed", "store_unavailable"]);
problems!(MessagesProblems in SHAPE => SESSION, ["invalid_session_id", "store_unavailable"]);

/// A session in the earlier shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerSession)]
struct Row {
    /// Its UUID.
    id: String,
    /// What the agent program calls the conversation.
    internal_session_id: Option<String>,
    name: Option<String>,
    /// `claude-code` or `scripted`.
    agent: &'static str,
    /// Where the agent works.
    cwd: String,
    model: Option<String>,
    /// As in `/api/agents/sessions`.
    status: &'static str,
    /// Whether a turn runs.
    is_streaming: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn of(session: &Session) -> Self {
        let info = session.info();
        let spec = session.agent();
        let agent = match spec.driver {
            DriverKind::Claude => "claude-code",
            DriverKind::Scripted => "scripted",
        };
        Self {
            id: uuid_of(&info.id).to_owned(),
            internal_session_id: info.state.conversation.clone(),
            name: info.state.name.clone(),
            agent,
            cwd: spec.options.cwd.as_deref().unwrap_or("/workspace").to_owned(),
            model: spec.options.model.clone(),
            status: info.state.status.as_str(),
            is_streaming: info.state.turn.is_some(),
            created_at: info.created_at,
            updated_at: info.last_active,
        }
    }
}

/// Sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentServerSessionList)]
struct Rows {
    count: usize,
    /// Newest first.
    sessions: Vec<Row>,
}

/// A session that is gone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerDeleted)]
struct Deleted {
    /// `true`.
    deleted: bool,
    /// Its UUID.
    session_id: String,
}

/// Lists the caller's sessions, newest first.
#[utoipa::path(
    get, path = "/sessions", operation_id = "agent_server_list_sessions", tag = "Agent server",
    security(("key" = [])),
    responses((status = 200, description = "The sessions", body = Stamped<Rows>), ListProblems),
)]
async fn list(State(state): State<AppState>, caller: Caller) -> axum::Json<Stamped<Rows>> {
    let all = state.sessions.list().into_iter().rev();
    let rows: Vec<_> =
        all.filter(|session| session.owner() == caller.owner).map(|session| Row::of(&session)).collect();
    stamped(Rows { count: rows.len(), sessions: rows })
}

/// A session to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession {
    /// Its UUID; a random one when absent.
    session_id: Option<String>,
    /// `claude-code`, or the id of a configuration.
    agent: Option<String>,
    /// Where the agent works, beneath `/workspace`.
    cwd: Option<String>,
    /// The model, with or without the vendor's name before it.
    model: Option<String>,
}

/// Launches a session, and answers when its agent takes prompts.
#[utoipa::path(
    post, path = "/sessions", operation_id = "agent_server_create_session", tag = "Agent server",
    security(("key" = [])), request_body = NewSession,
    responses((status = 201, description = "The session", body = Row), CreateProblems),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<NewSession>,
) -> Result<(StatusCode, axum::Json<Row>), Problem> {
    let id = new.session_id.as_deref().map_or_else(|| Ok(SessionId::generate()), whose::session_id)?;
    let wanted = Wanted { agent: new.agent.as_deref(), cwd: new.cwd.as_deref(), model: new.model.as_deref() };
    let launch = generate::launch(&state, &caller, id, wanted)?;
    let session = state.sessions.launch(launch).await?;
    Ok((StatusCode::CREATED, axum::Json(Row::of(&session))))
}

/// A name for people.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSessionName)]
pub(super) struct NewName {
    /// The name, of at most 200 characters.
    name: String,
}

/// Gives a session a name for people.
#[utoipa::path(
    put, path = "/sessions/{id}", operation_id = "agent_server_rename_session", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The session's UUID")), request_body = NewName,
    responses((status = 200, description = "The session", body = Row), RenameProblems),
)]
async fn rename(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(NewName { name }): Json<NewName>,
) -> Result<axum::Json<Row>, Problem> {
    let session = whose::session(&state, &caller, &id)?;
    session.rename(&name).await?;
    Ok(axum::Json(Row::of(&session)))
}

/// Removes a session with its container and its files.
#[utoipa::path(
    delete, path = "/sessions/{id}", operation_id = "agent_server_delete_session", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The session's UUID")),
    responses((status = 200, description = "It is gone", body = Stamped<Deleted>), DeleteProblems),
)]
async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Stamped<Deleted>>, Problem> {
    let session = whose::session(&state, &caller, &id)?;
    state.sessions.remove(session.id()).await?;
    Ok(stamped(Deleted { deleted: true, session_id: uuid_of(session.id()).to_owned() }))
}

/// Everything that was said in a session, as messages of Claude's SDK, streamed as one JSON document.
#[utoipa::path(
    get, path = "/sessions/{id}/messages", operation_id = "agent_server_list_messages", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The session's UUID")),
    responses((status = 200, description = "The messages", body = SdkMessageList), MessagesProblems),
)]
async fn messages(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let session = whose::session(&state, &caller, &id)?;
    let head = session.head().await?;
    let after = session.earliest().await?.saturating_sub(1);
    let begin = format!("{{\"sessionId\":\"{}\",\"messages\":[", uuid_of(session.id()));
    let begin = futures::stream::iter([Ok::<_, Problem>(Bytes::from(begin))]);
    let reading = Reading { session, after, head, count: Some(0) };
    let pages = futures::stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|piece| (piece, reading)))
    });
    // A store that fails in the middle breaks the answer off: half a list must not look whole.
    let body = begin.chain(pages).map(|piece| piece.map_err(|problem| std::io::Error::other(problem.detail)));
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}

/// Reads the journal up to where it ended when it was asked for.
struct Reading {
    session: Arc<Session>,
    after: u64,
    head: u64,
    /// The messages so far; none when the list is closed.
    count: Option<usize>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(mut count) = self.count else { return Ok(None) };
        let mut piece = String::new();
        while self.after < self.head && piece.is_empty() {
            for record in self.session.read(self.after, PAGE).await? {
                self.after = record.seq();
                if let Some(message) = sdk_frames::message(self.session.id(), &record.event) {
                    if count > 0 {
                        piece.push(',');
                    }
                    count += 1;
                    piece.push_str(&message.to_string());
                }
            }
        }
        self.count = Some(count);
        if piece.is_empty() {
            self.count = None;
            piece = format!("],\"count\":{count},\"timestamp\":\"{}\"}}", Timestamp::now());
        }
        Ok(Some(piece.into()))
    }
}
