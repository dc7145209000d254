//! What people tell an agent besides prompts: answers to its requests, another model, another mode.

use agcluster_core::protocol::{Answer, Settings};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::openapi::problems::{AGENT, BODY, RUNNING, SESSION, problems};
use crate::openapi::schemas::{AnswerSchema, SettingsSchema};
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(answer)).routes(routes!(settings))
}

problems!(
    AnswerProblems = SESSION,
    BODY,
    RUNNING,
    AGENT,
    ["request_not_found", "answer_invalid", "approval_answered", "approval_expired"],
);
problems!(SettingsProblems = SESSION, BODY, RUNNING, AGENT);

/// That something was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answered {
    /// `success`.
    status: &'static str,
    /// The request that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// Answers what the agent asks: a `permission_requested` or `question_asked` event.
#[utoipa::path(
    post, path = "/api/agents/sessions/{id}/answer", operation_id = "answer_request", tag = "Approvals",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = AnswerSchema,
    responses((status = 200, description = "The agent has the answer", body = inline(Answered)), AnswerProblems),
)]
pub(crate) async fn answer(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(answer): Json<Answer>,
) -> Result<axum::Json<Answered>, Problem> {
    caller.session(&state, &id)?.answer(&answer).await?;
    Ok(axum::Json(Answered { status: "success", request_id: Some(answer.request_id) }))
}

/// Sets another model or permission mode from now on.
#[utoipa::path(
    post, path = "/api/agents/sessions/{id}/settings", operation_id = "change_settings", tag = "Sessions",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = SettingsSchema,
    responses((status = 200, description = "They hold", body = inline(Answered)), SettingsProblems),
)]
pub(crate) async fn settings(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(settings): Json<Settings>,
) -> Result<axum::Json<Answered>, Problem> {
    caller.session(&state, &id)?.settings(&settings).await?;
    Ok(axum::Json(Answered { status: "success", request_id: None }))
}
