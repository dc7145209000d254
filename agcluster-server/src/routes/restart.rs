//! A new container for a session, on the same workspace.

use agcluster_core::config::{LaunchOptions, McpEnv};
use agcluster_core::protocol::workspace::git::Credentials;
use agcluster_core::session::{Session, SessionError};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::launch::inline_configuration;
use super::{git, sessions};
use crate::auth::Caller;
use crate::extract::{MaybeJson, Path};
use crate::openapi::problems::{AGENT, BODY, PROVIDER, RUNNING, SESSION, problems};
use crate::openapi::schemas::config::InlineConfig;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(restart))
}

problems!(
    RestartProblems = SESSION,
    BODY,
    RUNNING,
    PROVIDER,
    AGENT,
    git::REMOTE,
    ["config_not_found", "config_invalid", "config_differs"],
);

/// The body of `POST /api/agents/sessions/{id}/restart`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct RestartRequest {
    /// Credentials of MCP servers, as at the launch: they are kept nowhere, so a server that was restarted has none.
    #[schema(value_type = Option<HashMap<String, HashMap<String, String>>>)]
    mcp_env: Option<McpEnv>,
    /// What opens the repository of a session that has not cloned it yet: it is kept nowhere either.
    #[schema(value_type = Option<HashMap<String, String>>)]
    git_credentials: Option<Credentials>,
    /// The configuration of a launch that brought one along, which is kept nowhere either.
    #[schema(value_type = Option<InlineConfig>)]
    config: Option<Value>,
}

/// Gives the session a new container on the same workspace, and answers when its agent takes turns again, with its conversation.
#[utoipa::path(
    post, path = "/api/agents/sessions/{id}/restart", operation_id = "restart_session", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = Option<RestartRequest>,
    responses((status = 200, description = "The session", body = sessions::SessionView), RestartProblems),
)]
pub(crate) async fn restart(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    MaybeJson(request): MaybeJson<RestartRequest>,
) -> Result<Json<Value>, Problem> {
    let session = caller.session(&state, &id)?;
    if let Some(credentials) = request.git_credentials {
        session.bring_git_credentials(credentials);
    }
    if let Some(document) = request.config {
        let read = inline_configuration(&session.info().config_id, document)?;
        let mcp_env = request.mcp_env.unwrap_or_default();
        session.bring_same_options(read.config.to_options(&mcp_env, &state.defaults.agent)?.options)?;
        session.restart().await?;
        return Ok(Json(sessions::render(&session.info())));
    }
    match &request.mcp_env {
        Some(mcp_env) => {
            session.bring_options(options(&state, &session, mcp_env)?.options);
            session.restart().await?;
        }
        None => match session.restart().await {
            Err(SessionError::CredentialsRequired(missing)) => {
                // What the operator shares may be all that is missing. Nothing is left out unsaid.
                let found = options(&state, &session, &McpEnv::new()).ok();
                let Some(found) = found.filter(|found| found.warnings.is_empty()) else {
                    return Err(SessionError::CredentialsRequired(missing).into());
                };
                session.bring_options(found.options);
                session.restart().await?;
            }
            other => other?,
        },
    }
    Ok(Json(sessions::render(&session.info())))
}

/// The session's configuration, which this server must have, with the credentials filled in.
fn options(state: &AppState, session: &Session, mcp_env: &McpEnv) -> Result<LaunchOptions, Problem> {
    let entry = state.configs.get(Some(&session.owner()), &session.info().config_id)?;
    Ok(entry.config.to_options(mcp_env, &state.defaults.agent)?)
}
