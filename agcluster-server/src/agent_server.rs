//! The API that clients of the earlier agent server know: its paths and shapes over the same calls as everything else.
//!
//! There, all sessions shared one container with the server, and any UUID was a session. Here each has a container of its own,
//! launched by `POST /sessions` or by its first prompt, and is opened by the key that launched it. The UUID is the one in the
//! session's name: `4d…` is the session `conv-4d…` of `/api/agents/sessions`.
//!
//! What there was of the whole server (`/git`, `/env`, `/sessions/filesystem`, `/terminal`) is of one session here: the one that the
//! header `X-Session-ID` or the parameter `session_id` names, or the caller's only one.

mod environment;
mod error;
mod filesystem;
mod generate;
mod git;
mod jobs;
mod sdk_frames;
mod sdk_messages;
mod sessions;
mod upload;
mod whose;

use axum::Json;
use axum::middleware::map_response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use error::AgentServerError;

use crate::AppState;

/// The routes, whose refusals have the earlier agent server's shape.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(sessions::routes())
        .merge(generate::routes())
        .merge(jobs::routes())
        .merge(filesystem::routes())
        .merge(git::routes())
        .merge(environment::routes())
        .merge(upload::routes())
        .layer(map_response(error::shape))
}

/// An answer with its time, as every answer of the earlier agent server has it.
#[derive(Debug, Serialize, ToSchema)]
struct Stamped<T> {
    #[serde(flatten)]
    answer: T,
    /// When.
    timestamp: Timestamp,
}

fn stamped<T>(answer: T) -> Json<Stamped<T>> {
    Json(Stamped { answer, timestamp: Timestamp::now() })
}
