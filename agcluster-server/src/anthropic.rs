//! The Anthropic-compatible API: messages.

mod caller;
mod error;
mod messages;
mod render;
mod request;

use axum::http::HeaderMap;
use serde_json::{Value, json};
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
pub(crate) fn models(all: &[Model]) -> Value {
    let render = |model: &Model| {
        json!({
            "type": "model",
            "id": model.id(),
            "display_name": model.config.name,
            "created_at": model.config.created_at.unwrap_or_default(),
        })
    };
    let id = |model: Option<&Model>| model.map(Model::id);
    json!({
        "data": all.iter().map(render).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": id(all.first()),
        "last_id": id(all.last()),
    })
}
