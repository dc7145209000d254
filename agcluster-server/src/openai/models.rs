//! The models that requests may name.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use crate::compat::models::{self, Model};
use crate::extract::Path;
use crate::openapi::problems::{CALLER, problems};
use crate::openapi::schemas::any_of::AnyOf;
use crate::{AppState, Problem, anthropic};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(get_with_model))
}

problems!(ListProblems in SHAPE => CALLER);
problems!(GetProblems in SHAPE => CALLER, ["invalid_path", "model_not_found", "config_invalid"]);

/// The list in either API's shape.
type AnyModelList = AnyOf<ModelList, anthropic::AnthropicModelList>;

/// One in either API's shape.
type AnyModel = AnyOf<ModelObject, anthropic::AnthropicModel>;

/// The models.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// `list`.
    object: &'static str,
    data: Vec<ModelObject>,
}

/// A configuration as a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelObject {
    id: String,
    /// `model`.
    object: &'static str,
    /// In seconds since 1970.
    created: i64,
    /// `agcluster`.
    owned_by: &'static str,
    /// The name for people.
    name: String,
    description: Option<String>,
}

impl ModelObject {
    fn of(model: &Model) -> Self {
        Self {
            id: model.id(),
            object: "model",
            created: model.config.created_at.map_or(0, |at| at.as_second()),
            owned_by: "agcluster",
            name: model.title(),
            description: model.config.description.clone(),
        }
    }
}

/// What may be named as a model: configurations, and configurations with each model.
///
/// Anthropic's API has its list under the same path: whoever sends `anthropic-version` gets that shape.
#[utoipa::path(
    get, path = "/v1/models", operation_id = "list_models", tag = "OpenAI", security(("key" = [])),
    params(("anthropic-version" = Option<String>, Header, description = "Asks for Anthropic's shape")),
    responses((status = 200, description = "All of them", body = AnyModelList), ListProblems),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    anthropic::AnyCaller(caller): anthropic::AnyCaller,
) -> Response {
    let all = models::list(&state, Some(&caller.owner));
    if anthropic::is_meant(&headers) {
        return Json(anthropic::models(&all)).into_response();
    }
    Json(ModelList { object: "list", data: all.iter().map(ModelObject::of).collect() }).into_response()
}

/// A configuration as a model, in Anthropic's shape for whoever sends `anthropic-version`.
#[utoipa::path(
    get, path = "/v1/models/{config}", operation_id = "get_model", tag = "OpenAI", security(("key" = [])),
    params(
        ("config" = String, Path, description = "The configuration, or `CONFIGURATION/MODEL` in one"),
        ("anthropic-version" = Option<String>, Header, description = "Asks for Anthropic's shape"),
    ),
    responses((status = 200, description = "The model", body = AnyModel), GetProblems),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    headers: HeaderMap,
    anthropic::AnyCaller(caller): anthropic::AnyCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let model = models::find(&state, Some(&caller.owner), &id)?;
    if anthropic::is_meant(&headers) {
        return Ok(Json(anthropic::model(&model)).into_response());
    }
    Ok(Json(ModelObject::of(&model)).into_response())
}

/// A configuration with another model than its own.
#[utoipa::path(
    get, path = "/v1/models/{config}/{model}", operation_id = "get_model_of_configuration", tag = "OpenAI",
    security(("key" = [])),
    params(
        ("config" = String, Path, description = "The configuration"),
        ("model" = String, Path, description = "The model"),
        ("anthropic-version" = Option<String>, Header, description = "Asks for Anthropic's shape"),
    ),
    responses((status = 200, description = "The model", body = AnyModel), GetProblems),
)]
pub(crate) async fn get_with_model(
    state: State<AppState>,
    headers: HeaderMap,
    caller: anthropic::AnyCaller,
    Path((config, model)): Path<(String, String)>,
) -> Result<Response, Problem> {
    get(state, headers, caller, Path(format!("{config}/{model}"))).await
}
