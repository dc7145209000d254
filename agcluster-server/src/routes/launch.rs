//! Launching a session.

use std::sync::Arc;

use agcluster_core::config::{AgentConfig, ConfigError, McpEnv, ReadConfig};
use agcluster_core::protocol::Secret;
use agcluster_core::protocol::workspace::git::Credentials;
use agcluster_core::session::{Owner, Repository};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::provider_names::ProviderNames;
use super::sessions;
use super::{git, idempotency, provider_names};
use crate::auth::Bearer;
use crate::extract::Digested;
use crate::openapi::problems::{AGENT, BODY, IDEMPOTENCY, PROVIDER, RUNNING, problems};
use crate::openapi::schemas::config::InlineConfig;
use crate::settings::model_base_url;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(launch))
}

problems!(
    LaunchProblems = BODY,
    IDEMPOTENCY,
    PROVIDER,
    AGENT,
    RUNNING,
    [
        "api_key_missing",
        "base_url_invalid",
        "config_ambiguous",
        "config_missing",
        "config_invalid",
        "config_not_found",
        "provider_unknown",
        "repo_missing",
        "git_url_invalid",
    ],
    git::REMOTE,
);

/// The body of `POST /api/agents/launch`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct LaunchRequest {
    /// The key of the model API; it also is what opens the session from now on. May be sent as bearer token instead.
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret>,
    /// A configuration of the server's.
    config_id: Option<String>,
    /// Or one brought along.
    #[schema(value_type = Option<InlineConfig>)]
    config: Option<Value>,
    /// Where: a name, or several to be asked in their order; the server's default when absent.
    #[schema(schema_with = provider_names::schema)]
    provider: Option<ProviderNames>,
    /// Credentials of MCP servers: server → name → value.
    #[schema(value_type = Option<HashMap<String, HashMap<String, String>>>)]
    mcp_env: Option<McpEnv>,
    /// Another base URL of the model API.
    base_url: Option<String>,
    /// The `https://` URL of a git repository that is cloned before the agent starts.
    repo: Option<String>,
    /// Its branch or tag; its own choice when absent.
    branch: Option<String>,
    /// Its folder below the workspace; named like the repository when absent.
    repo_path: Option<String>,
    /// What opens it. Neither kept nor known to the container.
    #[schema(value_type = Option<HashMap<String, String>>)]
    git_credentials: Option<Credentials>,
}

/// Launches a session, and answers when its agent is ready for the first prompt.
#[utoipa::path(
    post, path = "/api/agents/launch", operation_id = "launch_session", tag = "Sessions",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat: 1 to 255 printable ASCII characters")),
    request_body = LaunchRequest,
    responses((status = 200, description = "The session", body = sessions::SessionView), LaunchProblems),
)]
pub(crate) async fn launch(
    State(state): State<AppState>,
    headers: HeaderMap,
    Digested { body: request, digest }: Digested<LaunchRequest>,
) -> Result<axum::Json<Value>, Problem> {
    let key = request
        .api_key
        .filter(|key| !key.expose().trim().is_empty())
        .or_else(|| Bearer::from_headers(&headers).map(|Bearer(key)| key))
        .ok_or_else(|| {
            let detail = "api_key is missing: send the key of the model API in the body, or as bearer token";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "api_key_missing", detail)
        })?;
    let (config_id, config, mut warnings) =
        configuration(&state, Owner::of(&key), request.config_id, request.config)?;
    let base_url = match request.base_url {
        Some(url) => Some(
            model_base_url(&url)
                .map_err(|why| Problem::bad_request("base_url_invalid", format!("base_url {why}")))?,
        ),
        None => None,
    };
    let options = config.to_options(&request.mcp_env.unwrap_or_default(), &state.defaults.agent)?;
    let mut launch = state.defaults.launch(&config, options, &key, base_url);
    warnings.append(&mut launch.warnings);
    launch.warnings = warnings;
    launch.config_id = config_id;
    launch.idempotency = idempotency::of(&headers, digest)?;
    launch.providers = request.provider.map(ProviderNames::into_list).unwrap_or_default();
    let seed = (request.repo, request.branch, request.repo_path, request.git_credentials);
    (launch.repository, launch.git_credentials) = repository(&state, seed)?;
    let session = state.sessions.launch(launch).await?;
    let info = session.info();
    let mut answer = sessions::render(&info);
    answer["message"] = format!("Agent launched successfully from configuration {}", info.config_id).into();
    Ok(axum::Json(answer))
}

type Seed = (Option<String>, Option<String>, Option<String>, Option<Credentials>);

/// The repository that is meant, and what opens it.
fn repository(
    state: &AppState,
    (repo, branch, path, credentials): Seed,
) -> Result<(Option<Repository>, Option<Credentials>), Problem> {
    let Some(url) = repo else {
        if branch.is_some() || path.is_some() || credentials.is_some() {
            let detail = "branch, repo_path and git_credentials go with repo, the URL of a repository";
            return Err(Problem::bad_request("repo_missing", detail));
        }
        return Ok((None, None));
    };
    let mut repository = Repository::new(&url, state.defaults.git_plain_http)
        .map_err(|invalid| Problem::bad_request("git_url_invalid", invalid.to_string()))?;
    (repository.branch, repository.path, repository.private) = (branch, path, credentials.is_some());
    Ok((Some(repository), credentials))
}

/// The one configuration that is meant, its id, and what is wrong with it.
pub(super) fn configuration(
    state: &AppState,
    owner: Owner,
    id: Option<String>,
    inline: Option<Value>,
) -> Result<(String, Arc<AgentConfig>, Vec<String>), Problem> {
    match (id, inline) {
        (Some(id), None) => {
            let entry = state.configs.get(Some(&owner), &id)?;
            Ok((id, Arc::clone(&entry.config), Vec::new()))
        }
        (None, Some(document)) => {
            let id = format!("inline-{}", &Uuid::new_v4().simple().to_string()[..11]);
            let read = inline_configuration(&id, document)?;
            let warnings = read.warnings.iter().map(ToString::to_string).collect();
            Ok((id, Arc::new(read.config), warnings))
        }
        (Some(_), Some(_)) => {
            Err(Problem::bad_request("config_ambiguous", "send either config_id or config, not both"))
        }
        (None, None) => {
            Err(Problem::bad_request("config_missing", "Either config_id or config must be provided"))
        }
    }
}

/// Reads a configuration that was brought along.
pub(super) fn inline_configuration(id: &str, mut document: Value) -> Result<ReadConfig, ConfigError> {
    if let Some(fields) = document.as_object_mut() {
        // A configuration that is used once needs no name.
        fields.entry("id").or_insert_with(|| id.into());
        fields.entry("name").or_insert_with(|| "Inline".into());
    }
    AgentConfig::from_json(document)
}
