//! The OpenAI-compatible API: models, chat completions, responses. `docs/integrations/openai-sdk.md` says what is taken.

mod answers;
mod chat;
mod content;
mod error;
mod models;
mod responses;

use utoipa_axum::router::OpenApiRouter;

pub(crate) use error::{OpenAiError, body as error};

use crate::AppState;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    models::routes().merge(chat::routes()).merge(responses::routes())
}
