//! The description of the API, `/openapi.json`, made from the handlers.
//!
//! What a route says of itself, in this order (`routes/sessions.rs` has short examples):
//!
//! 1. In its module, `pub(crate) fn routes() -> OpenApiRouter<AppState>` collects `routes!(handler)`; `app.rs` merges it. Handlers of one path and
//!    several methods stand in one `routes!(get, delete)`. There is no `.route(…)`: what is not described is not served.
//! 2. Above its handler, `#[utoipa::path(get, path = "/api/…/{id}", …)]`. The doc comment's first paragraph is the summary and what follows it the
//!    description, so it is written for users of the API.
//! 3. `operation_id = "list_sessions"`: verb and noun, unique; the handler itself may be called `list`. `tag = "Sessions"`: one of [`Api`]'s.
//! 4. `security(("key" = []))` when it takes a [`Caller`](crate::auth::Caller).
//! 5. `params(("id" = String, Path, description = "…"))`, or a type that derives `IntoParams`, for every parameter of path, query and header.
//! 6. `request_body = T` where `T: ToSchema`; `inline(T)` for a private type that is used once.
//! 7. `responses((status = 200, description = "…", body = T), XProblems)`, where `problems!(XProblems = SESSION, BODY, ["session_idle"])` names every code that can
//!    come: groups of [`problems`] and own ones. A code is in `problem/registry.rs` with its status and meaning.
//! 8. A stream is `content_type = "text/event-stream"`, and `body` the schema of its data; bytes are `body = [u8]` with their content type.
//! 9. A type of the core or the protocol derives `JsonSchema` (there under the feature `schema`) and gets a name in [`schemas`], for `body = …Schema`.
//!
//! Tests fail on an operation without one of these, on a code that is in no registry, and when `docs/api/openapi.json` is not what the code says.

pub(crate) mod problems;
pub(crate) mod schemas;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent_server::AgentServerError;
use crate::anthropic::AnthropicError;
use crate::openai::OpenAiError;
use crate::{AppState, FieldProblem, Problem, app};

/// What stands in the document beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "AgCluster",
        description = "Any coding agent, in any sandbox, behind one API. A *session* is one agent in one container; a *job* is one turn of it."
    ),
    tags(
        (name = "Server", description = "What this server is and whether it works"),
        (name = "Configurations", description = "What agents are made from"),
        (name = "Sessions", description = "Agents in containers"),
        (name = "Chat", description = "Talking to an agent, and what it said"),
        (name = "Jobs", description = "Turns by their names"),
        (name = "Approvals", description = "What agents ask for"),
        (name = "Files", description = "The workspace of a session"),
        (name = "Git", description = "Repositories in the workspace"),
        (name = "Terminal", description = "Terminals and commands in the container"),
        (name = "Resources", description = "What a container uses, has and logs"),
        (name = "OpenAI", description = "The API that clients of OpenAI know"),
        (name = "Anthropic", description = "The API that clients of Anthropic know"),
        (name = "Agent server", description = "The API that clients of the earlier agent server know"),
    ),
    components(schemas(Problem, FieldProblem, OpenAiError, AnthropicError, AgentServerError)),
    modifiers(&Key)
)]
pub(crate) struct Api;

/// The key of a session.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let text = "The key that launched the session. Nobody else's key opens it.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(serve))
}

/// The description of every route.
pub(crate) fn document() -> Value {
    let mut document = serde_json::to_value(app::described().into_openapi()).unwrap_or_default();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(schemas::definitions());
        schemas.sort_keys();
    }
    streams::describe(&mut document);
    // Earlier clients leave the last slash out: `app.rs` serves them too.
    let mut list = document["paths"]["/api/configs/"]["get"].clone();
    list["operationId"] = "list_configs_without_slash".into();
    document["paths"]["/api/configs"]["get"] = list;
    document
}

/// This description of the API, as OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_openapi", tag = "Server",
    responses((status = 200, description = "The description", body = Value)),
)]
async fn serve() -> impl IntoResponse {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone())
}
