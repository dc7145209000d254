//! `/generate/v2`: a prompt for a session, which is launched when there is none of that name.

use agcluster_core::config::McpEnv;
use agcluster_core::protocol::{PromptBlock, TurnId};
use agcluster_core::session::{Launch, SessionId, TurnRequest, WhenBusy};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::sdk_frames::SdkFrames;
use super::sdk_messages::SdkDatum;
use super::whose::{self, uuid_of};
use super::{Stamped, stamped};
use crate::auth::Caller;
use crate::compat::stream::{self, Source};
use crate::cursor;
use crate::extract::{Digested, Path};
use crate::openapi::problems::{
    AGENT, BODY, CALLER, CURSOR, IDEMPOTENCY, PROVIDER, RUNNING, SESSION, problems,
};
use crate::routes::chat::named;
use crate::routes::idempotency;
use crate::{AppState, Problem};

/// The configuration of the agent that the earlier server had.
const CLAUDE_CODE: (&str, &str) = ("claude-code", "code-assistant");

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(generate)).routes(routes!(stop))
}

problems!(GenerateProblems in SHAPE => CALLER, BODY, IDEMPOTENCY, PROVIDER, AGENT, RUNNING, CURSOR, ["idempotency_key_missing", "invalid_session_id", "session_exists", "agent_unknown", "config_not_found", "config_invalid", "no_user_message", "queue_full", "file_not_found", "image_invalid"]);
problems!(StopProblems in SHAPE => SESSION, RUNNING, AGENT, ["invalid_session_id", "session_idle"]);

/// A prompt.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Generate {
    /// What is said to the agent.
    prompt: String,
    /// The session's UUID.
    session_id: String,
    /// `claude-code`, or the id of a configuration. It counts when the session is launched.
    agent: Option<String>,
    /// Where the agent works, beneath `/workspace`. It counts when the session is launched.
    cwd: Option<String>,
    /// The model. It counts when the session is launched.
    model: Option<String>,
    /// Whether to answer at once with a job.
    #[serde(default)]
    background: bool,
    /// Whether to wait for the end of a running turn.
    #[serde(default)]
    queue: bool,
    /// Pictures in the workspace that go with the prompt, by their paths.
    #[serde(default)]
    images: Vec<String>,
    /// Taken and of no effect: each session has a workspace of its own, so there is nothing to keep apart.
    #[serde(default)]
    #[allow(dead_code, reason = "named so that the description of the API has it")]
    use_worktree: bool,
}

/// What a session is launched with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) agent: Option<&'a str>,
    pub(super) cwd: Option<&'a str>,
    pub(super) model: Option<&'a str>,
}

/// A launch of a session of this name.
pub(super) fn launch(
    state: &AppState,
    caller: &Caller,
    id: SessionId,
    wanted: Wanted<'_>,
) -> Result<Launch, Problem> {
    let agent = wanted.agent.filter(|agent| !agent.is_empty()).unwrap_or(CLAUDE_CODE.0);
    if agent == "codex" {
        let detail = "there is no codex here: take claude-code, or the id of a configuration";
        return Err(Problem::bad_request("agent_unknown", detail));
    }
    let config_id = if agent == CLAUDE_CODE.0 { CLAUDE_CODE.1 } else { agent };
    let config = &state.configs.get(Some(&caller.owner), config_id)?.config.clone();
    let mut options = config.to_options(&McpEnv::default(), &state.defaults.agent)?;
    if let Some(cwd) = wanted.cwd.filter(|cwd| !cwd.is_empty()) {
        options.options.cwd = Some(cwd.to_owned());
    }
    if let Some(model) = wanted.model.filter(|model| !model.is_empty()) {
        // The earlier server's names say the vendor first.
        options.options.model = Some(model.strip_prefix("anthropic/").unwrap_or(model).to_owned());
    }
    let mut launch = state.defaults.launch(config, options, caller.key(), None);
    launch.id = Some(id);
    Ok(launch)
}

/// A job that was begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerAccepted)]
struct Accepted {
    #[schema(value_type = Uuid)]
    task_id: TurnId,
    /// The session's UUID.
    session_id: String,
    /// `queued`.
    status: &'static str,
}

/// A session whose agent was told to end what it does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerStopped)]
struct Stopped {
    /// `true`.
    stopped: bool,
    /// The session's UUID.
    session_id: String,
}

/// Says something to the agent of a session, and streams what it does as messages of Claude's SDK. The session is launched when there
/// is none of that UUID.
#[utoipa::path(
    post, path = "/generate/v2", operation_id = "agent_server_generate", tag = "Agent server",
    security(("key" = [])), request_body = Generate,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body gives the same turn")),
    responses(
        (status = 200, description = "Messages of the SDK, then `{\"done\": true}`", content_type = "text/event-stream", body = SdkDatum),
        (status = 202, description = "The job", body = Accepted), GenerateProblems,
    ),
)]
async fn generate(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<Generate>,
) -> Result<Response, Problem> {
    let id = whose::session_id(&request.session_id)?;
    if request.prompt.trim().is_empty() {
        return Err(Problem::bad_request("no_user_message", "prompt is empty: say something"));
    }
    let session = match caller.session(&state, id.as_str()) {
        Ok(session) => session,
        Err(_) => {
            let wanted = Wanted {
                agent: request.agent.as_deref(),
                cwd: request.cwd.as_deref(),
                model: request.model.as_deref(),
            };
            let launch = launch(&state, &caller, id.clone(), wanted)?;
            state.sessions.conversation(&format!("agent-server:{}", uuid_of(&id)), launch).await?
        }
    };
    let mut prompt = vec![PromptBlock::text(request.prompt)];
    for path in &request.images {
        prompt.push(super::filesystem::picture(&session, path).await?);
    }
    let when_busy = if request.queue { WhenBusy::Queue } else { WhenBusy::Refuse };
    let idempotency = idempotency::of(&headers, digest)?;
    let cursor = idempotency::cursor(&headers, idempotency.as_ref())?;
    let cursor = cursor::of_session(cursor, &session).await?;
    let turn =
        session.begin(TurnRequest { prompt, when_busy, background: request.background, idempotency }).await?;
    let (session, id) = (session.id().clone(), turn.id());
    if request.background {
        let session_id = uuid_of(&session).to_owned();
        let job = Accepted { task_id: id, session_id, status: "queued" };
        return Ok((StatusCode::ACCEPTED, axum::Json(job)).into_response());
    }
    let over = !state.sessions.turn(id, caller.owner).await?.0.state.is_open();
    let source = Source { after: turn.after(), records: turn.boxed(), cursor, over, disposable: None };
    Ok(named(stream::response(source, SdkFrames::new(session.clone())).await, &session, id))
}

/// Ends what runs in a session.
#[utoipa::path(
    delete, path = "/generate/{id}/stop", operation_id = "agent_server_stop", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The session's UUID")),
    responses((status = 200, description = "The agent was told", body = Stamped<Stopped>), StopProblems),
)]
async fn stop(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Stamped<Stopped>>, Problem> {
    let session = whose::session(&state, &caller, &id)?;
    session.interrupt(None).await.map_err(|error| match error {
        // The earlier server's answer for a session that does nothing.
        agcluster_core::session::SessionError::Idle => {
            Problem::new(StatusCode::NOT_FOUND, "session_idle", "Session not found or not active")
        }
        other => other.into(),
    })?;
    Ok(stamped(Stopped { stopped: true, session_id: uuid_of(session.id()).to_owned() }))
}
