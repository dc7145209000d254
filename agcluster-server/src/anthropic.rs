//! The Anthropic-compatible API: messages.

mod answers;
mod caller;
mod error;
mod messages;
mod render;
mod request;

use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use caller::AnyCaller;
pub(crate) use error::{AnthropicError, body as error};

use crate::AppState;
use crate::compat::models::Model;

/// What Anthropic's clients send with every request.
const VERSION: &str = "anthropic-version";

/// Whether a request is one of Anthropic's clients'.
pub(crate) fn is_meant(headers: &HeaderMap) -> bool {
    headers.contains_key(VERSION)
}

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    messages::routes()
}

/// The list of models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnthropicModelList {
    data: Vec<AnthropicModel>,
    /// `false`.
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

/// A configuration as a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnthropicModel {
    /// `model`.
    r#type: &'static str,
    id: String,
    display_name: String,
    created_at: Timestamp,
}

/// One of the models.
pub(crate) fn model(model: &Model) -> AnthropicModel {
    AnthropicModel {
        r#type: "model",
        id: model.id(),
        display_name: model.title(),
        created_at: model.config.created_at.unwrap_or_default(),
    }
}

/// The list of models.
pub(crate) fn models(all: &[Model]) -> AnthropicModelList {
    let id = |model: Option<&Model>| model.map(Model::id);
    AnthropicModelList {
        data: all.iter().map(model).collect(),
        has_more: false,
        first_id: id(all.first()),
        last_id: id(all.last()),
    }
}
