//! Agent configurations: the server's, and the caller's own.

use std::sync::Arc;

use agcluster_core::config::{
    AgentConfig, CatalogError, ConfigEntry, ConfigSummary, FieldProblem, FileProblem, ReadConfig, Saving,
};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::config_document::Document;
use crate::auth::{Caller, MaybeCaller};
use crate::extract::Path;
use crate::openapi::problems::{BODY, CALLER, problems};
use crate::openapi::schemas::config::ConfigDocument;
use crate::openapi::schemas::{ConfigProblemSchema, ConfigSchema, ConfigSummarySchema, FileProblemSchema};
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(create))
        .routes(routes!(save))
        .routes(routes!(list_own))
        .routes(routes!(remove_own))
        .routes(routes!(validate))
        .routes(routes!(schema))
        .routes(routes!(get, update, remove))
}

/// The word for it that earlier clients know.
const SUCCESS: &str = "success";

/// What is refused of a document that shall be kept.
const KEEPING: &[&str] =
    &["config_invalid", "config_secret", "config_reserved", "config_quota", "store_unavailable"];

problems!(GetProblems = ["invalid_path", "config_not_found", "config_invalid"]);
problems!(ValidateProblems = BODY);
problems!(CreateProblems = CALLER, BODY, KEEPING, ["config_exists"]);
problems!(SaveProblems = CALLER, BODY, KEEPING);
problems!(
    UpdateProblems = CALLER,
    BODY,
    KEEPING,
    ["invalid_path", "config_not_found", "config_changed", "config_id_differs"],
);
problems!(ListOwnProblems = CALLER);
problems!(
    RemoveProblems = CALLER,
    ["invalid_path", "config_not_found", "config_changed", "store_unavailable"],
);

/// Configurations, in brief.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigList {
    /// How many.
    total: usize,
    /// Sorted by their ids.
    #[schema(value_type = Vec<ConfigSummarySchema>)]
    configs: Vec<ConfigSummary>,
    /// What is wrong with files that cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<FileProblemSchema>, required = false)]
    problems: Option<Vec<FileProblem>>,
}

impl ConfigList {
    fn of(entries: &[Arc<ConfigEntry>]) -> Self {
        let configs: Vec<_> = entries.iter().map(|entry| entry.summary()).collect();
        Self { total: configs.len(), configs, problems: None }
    }
}

/// A configuration that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Saved {
    /// `success`.
    status: &'static str,
    /// Its id.
    config_id: String,
    /// The name of exactly this content.
    revision: String,
    /// What is odd about it, one sentence each.
    warnings: Vec<String>,
    /// All of it.
    #[schema(value_type = ConfigSchema)]
    config: Arc<AgentConfig>,
}

impl Saved {
    fn of(entry: Arc<ConfigEntry>) -> Self {
        Self {
            status: SUCCESS,
            config_id: entry.config.id.clone(),
            revision: entry.config.revision(),
            warnings: entry.warnings.iter().map(ToString::to_string).collect(),
            config: Arc::clone(&entry.config),
        }
    }
}

/// A configuration that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// `success`.
    status: &'static str,
    /// Its id.
    config_id: String,
}

/// What would become of a document.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Tried {
    /// Whether it could be saved.
    valid: bool,
    /// What keeps it from that.
    #[schema(value_type = Vec<ConfigProblemSchema>)]
    errors: Vec<FieldProblem>,
    /// What is odd about it.
    #[schema(value_type = Vec<ConfigProblemSchema>)]
    warnings: Vec<FieldProblem>,
    /// The configuration that it is, if it is one.
    #[schema(value_type = Option<ConfigSchema>)]
    config: Option<AgentConfig>,
}

/// Lists the configurations, sorted by id, and what is wrong with the files that cannot be used.
///
/// `source` says whose each is: `preset`, `operator`, or `user` for the caller's own, which are there when a key is sent.
#[utoipa::path(
    get, path = "/api/configs/", operation_id = "list_configs", tag = "Configurations",
    responses((status = 200, description = "All configurations", body = ConfigList)),
)]
pub(crate) async fn list(State(state): State<AppState>, caller: MaybeCaller) -> Json<ConfigList> {
    let problems = Some(state.configs.files().problems());
    Json(ConfigList { problems, ..ConfigList::of(&state.configs.list(caller.owner())) })
}

/// One configuration, whole: the caller's own, a preset or the operator's.
#[utoipa::path(
    get, path = "/api/configs/{id}", operation_id = "get_config", tag = "Configurations",
    params(("id" = String, Path, description = "The configuration")),
    responses((status = 200, description = "The configuration; its revision is the ETag", body = ConfigSchema), GetProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    caller: MaybeCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let entry = state.configs.get(caller.owner(), &id)?;
    Ok((etag(&entry), Json(&*entry.config)).into_response())
}

/// Makes a configuration of the caller's own, which nobody else sees.
///
/// The body is the document, as JSON or YAML.
#[utoipa::path(
    post, path = "/api/configs", operation_id = "create_config", tag = "Configurations",
    security(("key" = [])), request_body(content((ConfigDocument = "application/json"), (ConfigDocument = "application/yaml"))),
    responses((status = 201, description = "It is kept", body = Saved), CreateProblems),
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    document: Document,
) -> Result<Response, Problem> {
    let entry = state.configs.save(caller.owner, document.read()?, Saving::New).await?;
    let location = [(header::LOCATION, format!("/api/configs/{}", entry.config.id))];
    Ok((StatusCode::CREATED, location, etag(&entry), Json(Saved::of(entry))).into_response())
}

/// Saves a configuration of the caller's own, in place of what the caller has under its id.
#[utoipa::path(
    post, path = "/api/configs/custom", operation_id = "save_config", tag = "Configurations",
    security(("key" = [])), request_body(content((ConfigDocument = "application/json"), (ConfigDocument = "application/yaml"))),
    responses((status = 200, description = "It is kept", body = Saved), SaveProblems),
)]
pub(crate) async fn save(
    State(state): State<AppState>,
    caller: Caller,
    document: Document,
) -> Result<Response, Problem> {
    let entry = state.configs.save(caller.owner, document.read()?, Saving::Anyhow).await?;
    Ok((etag(&entry), Json(Saved::of(entry))).into_response())
}

/// Lists the caller's own configurations.
#[utoipa::path(
    get, path = "/api/configs/custom/list", operation_id = "list_own_configs", tag = "Configurations",
    security(("key" = [])),
    responses((status = 200, description = "The caller's own", body = ConfigList), ListOwnProblems),
)]
pub(crate) async fn list_own(State(state): State<AppState>, caller: Caller) -> Json<ConfigList> {
    Json(ConfigList::of(&state.configs.list_own(&caller.owner)))
}

/// Replaces a configuration of the caller's own.
///
/// With the header `If-Match`, only if it still has that revision.
#[utoipa::path(
    put, path = "/api/configs/{id}", operation_id = "replace_config", tag = "Configurations",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The configuration"),
        ("if-match" = Option<String>, Header, description = "The ETag that the caller has seen"),
    ),
    request_body(content((ConfigDocument = "application/json"), (ConfigDocument = "application/yaml"))),
    responses((status = 200, description = "It is kept", body = Saved), UpdateProblems),
)]
pub(crate) async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    document: Document,
) -> Result<Response, Problem> {
    let read = document.named(&id).read()?;
    if read.config.id != id {
        let detail =
            format!("the document's id is {:?}, the route's {id:?}: make them equal", read.config.id);
        return Err(Problem::bad_request("config_id_differs", detail));
    }
    let saving = Saving::Replacing(if_match(&headers));
    let entry = state.configs.save(caller.owner, read, saving).await?;
    Ok((etag(&entry), Json(Saved::of(entry))).into_response())
}

/// Removes a configuration of the caller's own. Sessions that were launched with it go on.
#[utoipa::path(
    delete, path = "/api/configs/{id}", operation_id = "remove_config", tag = "Configurations",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The configuration"),
        ("if-match" = Option<String>, Header, description = "The ETag that the caller has seen"),
    ),
    responses((status = 200, description = "It is gone", body = Removed), RemoveProblems),
)]
pub(crate) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Removed>, Problem> {
    state.configs.remove(caller.owner, &id, if_match(&headers)).await?;
    Ok(Json(Removed { status: SUCCESS, config_id: id }))
}

/// Removes a configuration of the caller's own, as earlier clients ask for it.
#[utoipa::path(
    delete, path = "/api/configs/custom/{id}", operation_id = "remove_own_config", tag = "Configurations",
    security(("key" = [])), params(("id" = String, Path, description = "The configuration")),
    responses((status = 200, description = "It is gone", body = Removed), RemoveProblems),
)]
pub(crate) async fn remove_own(
    state: State<AppState>,
    caller: Caller,
    id: Path<String>,
) -> Result<Json<Removed>, Problem> {
    remove(state, caller, id, HeaderMap::new()).await
}

/// Says what would become of a document if it were saved, and keeps nothing.
///
/// The body is the document, as JSON or YAML. The answer has `valid`, `errors` and `warnings` by field, and the document with every
/// field.
#[utoipa::path(
    post, path = "/api/configs/validate", operation_id = "validate_config", tag = "Configurations",
    request_body(content((ConfigDocument = "application/json"), (ConfigDocument = "application/yaml"))),
    responses((status = 200, description = "What is right and wrong with it", body = Tried), ValidateProblems),
)]
pub(crate) async fn validate(State(state): State<AppState>, document: Document) -> Json<Tried> {
    Json(match document.read() {
        Err(error) => Tried { errors: error.problems().to_vec(), ..Tried::default() },
        Ok(read) => {
            let errors = match state.configs.check(&read) {
                Ok(()) => Vec::new(),
                Err(CatalogError::Invalid(error) | CatalogError::Secrets(error)) => error.problems().to_vec(),
                Err(error) => {
                    let (field, message) = ("id".to_owned(), error.to_string());
                    vec![FieldProblem { field, message, position: None }]
                }
            };
            let ReadConfig { config, warnings } = read;
            Tried { valid: errors.is_empty(), errors, warnings, config: Some(config) }
        }
    })
}

/// The JSON Schema of the format.
#[utoipa::path(
    get, path = "/api/configs/schema", operation_id = "get_config_schema", tag = "Configurations",
    responses((status = 200, description = "The schema", content_type = "application/schema+json", body = serde_json::Value)),
)]
pub(crate) async fn schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], AgentConfig::json_schema().to_string())
}

fn etag(entry: &ConfigEntry) -> [(header::HeaderName, HeaderValue); 1] {
    let tag = format!("\"{}\"", entry.config.revision());
    [(header::ETAG, HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")))]
}

/// The revision that the caller wants to find; none when any will do.
fn if_match(headers: &HeaderMap) -> Option<&str> {
    let tag = headers.get(header::IF_MATCH)?.to_str().unwrap_or_default().trim();
    (tag != "*").then(|| tag.trim_matches('"'))
}
