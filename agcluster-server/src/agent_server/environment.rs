//! `/env` and `/terminal/token`. The WebSocket behind a token is `/ws/terminal`, as everywhere.

use std::collections::BTreeMap;

use agcluster_core::protocol::workspace::is_terminal_name;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::whose::{self, Meant, Which, uuid_of};
use crate::auth::Caller;
use crate::extract::{self, Path};
use crate::openapi::problems::{AGENT, BODY, QUERY, RUNNING, SESSION, problems};
use crate::routes::environment::{self, ENVIRONMENT};
use crate::{AppState, Problem};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(variables)).routes(routes!(token))
}

problems!(VariablesProblems in SHAPE => SESSION, QUERY, RUNNING, AGENT, ENVIRONMENT, ["invalid_session_id", "session_id_missing"]);
problems!(TokenProblems in SHAPE => SESSION, BODY, RUNNING, ["invalid_session_id", "terminal_name_invalid"]);

/// Whether the agent program of a session has variables of these names.
#[utoipa::path(
    get, path = "/env/{names}", operation_id = "agent_server_get_environment", tag = "Agent server",
    security(("key" = [])), params(("names" = String, Path, description = "Names with commas between them"), Which),
    responses((status = 200, description = "Each name, and whether it is there", body = BTreeMap<String, bool>), VariablesProblems),
)]
async fn variables(
    Meant(session): Meant,
    Path(names): Path<String>,
) -> Result<Json<BTreeMap<String, bool>>, Problem> {
    Ok(Json(environment::present(&session, &names).await?))
}

/// Which terminal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WantedTerminal)]
pub(super) struct Wanted {
    /// The session's UUID.
    deployment_id: String,
    /// The terminal's name; `main` when absent.
    terminal_id: Option<String>,
}

/// A token that opens a terminal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerToken)]
pub(super) struct GivenToken {
    /// It, for `/ws/terminal`: as `Authorization: Bearer TOKEN`, or as the subprotocols `agcluster.terminal` and `token.TOKEN`.
    token: String,
    /// When it is good for nothing any more.
    expires_at: Timestamp,
    /// The session's UUID.
    deployment_id: String,
    /// The terminal's name.
    terminal_id: String,
}

/// Makes a token that opens one terminal of one session, once, within a minute.
#[utoipa::path(
    post, path = "/terminal/token", operation_id = "agent_server_create_terminal_token", tag = "Agent server",
    security(("key" = [])), request_body = Wanted,
    responses((status = 200, description = "The token", body = GivenToken), TokenProblems),
)]
async fn token(
    State(state): State<AppState>,
    caller: Caller,
    extract::Json(wanted): extract::Json<Wanted>,
) -> Result<Json<GivenToken>, Problem> {
    let session = whose::session(&state, &caller, &wanted.deployment_id)?;
    let terminal = wanted.terminal_id.as_deref().unwrap_or("main");
    if !is_terminal_name(terminal) {
        let detail = "a terminal is named by 1 to 128 letters, digits, dots, underscores and hyphens";
        return Err(Problem::bad_request("terminal_name_invalid", detail));
    }
    let ticket = state.tickets.issue(&session, terminal)?;
    Ok(Json(GivenToken {
        token: ticket.token.expose().to_owned(),
        expires_at: ticket.expires_at,
        deployment_id: uuid_of(session.id()).to_owned(),
        terminal_id: terminal.to_owned(),
    }))
}
