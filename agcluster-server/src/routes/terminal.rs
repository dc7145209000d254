//! Terminals in a session's container: tokens for them, and the WebSocket on which they are used.

mod admission;
mod frames;
mod origin;
mod socket;

use std::sync::Arc;

use agcluster_core::protocol::Secret;
use agcluster_core::protocol::workspace::{Terminal, TerminalList, TerminalSize, is_terminal_name};
use agcluster_core::session::SessionId;
use agcluster_core::workspace::{Ticket, TicketPlace, Workspace};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{OwnSession, OwnWorkspace};
use crate::extract::{MaybeJson, Path, Query};
use crate::openapi::problems::{AGENT, BODY, QUERY, RUNNING, SESSION, problems};
use crate::openapi::schemas::TerminalListSchema;
use crate::{AppState, Problem};
use admission::{Admission, PROTOCOL, Upgrade};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(list))
        .routes(routes!(end))
        .routes(routes!(connect))
        .routes(routes!(connect_by_token))
}

/// What the terminals of a container can refuse.
const TERMINALS: &[&str] = &["terminal_not_found", "terminal_name_invalid"];
/// What keeps a connection from becoming a WebSocket.
const ADMISSION: &[&str] = &[
    "invalid_path",
    "session_not_found",
    "websocket_expected",
    "origin_not_allowed",
    "terminal_token_missing",
    "terminal_token_invalid",
    "terminal_token_used",
    "terminal_token_expired",
    "terminal_token_wrong_session",
    "terminal_size_invalid",
    "too_many_terminals",
    "terminal_unavailable",
];

problems!(TokenProblems = SESSION, BODY, RUNNING, TERMINALS);
problems!(ListProblems = SESSION, RUNNING, AGENT);
problems!(EndProblems = SESSION, RUNNING, AGENT, TERMINALS);
problems!(ConnectProblems = ADMISSION, QUERY, RUNNING, AGENT);

/// The terminal that is meant when none is named.
const MAIN: &str = "main";

/// Which terminal.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Wanted {
    /// Its name, `main` when left out: 1 to 128 letters, digits, dots, underscores and hyphens.
    #[serde(default, alias = "terminalId")]
    terminal: Option<String>,
}

/// What opens a terminal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// What has to be shown.
    #[schema(value_type = String)]
    token: Secret,
    /// When it opens nothing any more.
    expires_at: Timestamp,
    /// The terminal.
    terminal: String,
    /// The session.
    #[schema(value_type = String)]
    session_id: SessionId,
    /// The subprotocol beside which it may be shown.
    protocol: &'static str,
}

/// Makes a token that opens one terminal, once, within a minute.
///
/// It is shown to the WebSocket as `Authorization: Bearer TOKEN`, or, from a browser, as the subprotocols `agcluster.terminal` and
/// `token.TOKEN`.
#[utoipa::path(
    post, path = "/api/agents/{id}/terminal/token", operation_id = "create_terminal_token", tag = "Terminal",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    request_body = Wanted,
    responses((status = 200, description = "The token", body = Token), TokenProblems),
)]
pub(crate) async fn token(
    State(state): State<AppState>,
    OwnSession(session): OwnSession,
    MaybeJson(wanted): MaybeJson<Wanted>,
) -> Result<Json<Token>, Problem> {
    let terminal = named(wanted.terminal.as_deref().unwrap_or(MAIN))?;
    let Ticket { token, expires_at } = state.tickets.issue(&session, terminal)?;
    let (terminal, session_id) = (terminal.to_owned(), session.id().clone());
    Ok(Json(Token { token, expires_at, terminal, session_id, protocol: PROTOCOL }))
}

/// Lists the terminals of a session.
#[utoipa::path(
    get, path = "/api/agents/{id}/terminals", operation_id = "list_terminals", tag = "Terminal",
    security(("key" = [])), params(("id" = String, Path, description = "The session")),
    responses((status = 200, description = "The terminals", body = TerminalListSchema), ListProblems),
)]
pub(crate) async fn list(OwnWorkspace(workspace): OwnWorkspace) -> Result<Json<TerminalList>, Problem> {
    Ok(Json(TerminalList { terminals: workspace.terminals().await? }))
}

/// Ends a terminal with everything that runs in it.
#[utoipa::path(
    delete, path = "/api/agents/{id}/terminals/{name}", operation_id = "end_terminal", tag = "Terminal",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("name" = String, Path, description = "The terminal"),
    ),
    responses((status = 204, description = "It is gone"), EndProblems),
)]
pub(crate) async fn end(
    OwnWorkspace(workspace): OwnWorkspace,
    Path((_id, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    workspace.end_terminal(named(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How to look at a terminal.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Look {
    /// The columns of the window
    cols: Option<u16>,
    /// Its lines
    rows: Option<u16>,
    /// The offset to go on behind, from a `data` frame; everything that is kept when left out
    after: Option<u64>,
}

/// Opens a terminal as a WebSocket, with a token for it.
///
/// The client sends `{"type":"data","data":TEXT}` and `{"type":"resize","cols":N,"rows":N}`. The server sends `info`, `data` (with
/// the `offset` behind it), `resize`, `error` and, at the end of the shell, `close`. What is on the terminal already comes first.
#[utoipa::path(
    get, path = "/api/agents/{id}/terminal", operation_id = "connect_terminal", tag = "Terminal",
    params(("id" = String, Path, description = "The session"), Look),
    responses((status = 101, description = "A WebSocket"), ConnectProblems),
)]
pub(crate) async fn connect(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(look): Query<Look>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let place = admission::admit(&state, &headers, Some(&SessionId::from_text(&*id)))?;
    open(state, place, look, upgrade).await
}

/// Opens the terminal that a token is for, as a WebSocket.
///
/// As `/api/agents/{id}/terminal`; the token says which session.
#[utoipa::path(
    get, path = "/ws/terminal", operation_id = "connect_terminal_by_token", tag = "Terminal",
    params(Look),
    responses((status = 101, description = "A WebSocket"), ConnectProblems),
)]
pub(crate) async fn connect_by_token(
    State(state): State<AppState>,
    Query(look): Query<Look>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let place = admission::admit(&state, &headers, None)?;
    open(state, place, look, upgrade).await
}

/// Everything that can be refused is refused before the connection becomes a WebSocket.
async fn open(
    state: AppState,
    admission: Admission,
    look: Look,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let Admission { place: TicketPlace { terminal, .. }, session } = admission;
    let size = size(&look)?;
    let workspace = Workspace::of(Arc::clone(&session));
    let opened = workspace.open_terminal(&terminal, size).await?;
    // A cursor of an earlier container may be ahead.
    let after = look.after.filter(|after| *after <= opened.newest).unwrap_or(opened.oldest);
    let view = workspace.view_terminal(&terminal, after).await?;
    let tracked = state.sockets.token();
    Ok(upgrade.start(move |socket| async move {
        socket::serve(socket, state, workspace, opened, view).await;
        drop(tracked);
    }))
}

fn named(name: &str) -> Result<&str, Problem> {
    if is_terminal_name(name) {
        return Ok(name);
    }
    let detail =
        "a terminal's name has 1 to 128 letters, digits, dots, underscores and hyphens, and no dot first";
    Err(Problem::bad_request("terminal_name_invalid", detail))
}

fn size(look: &Look) -> Result<Option<TerminalSize>, Problem> {
    let usual = TerminalSize::default();
    if look.cols.or(look.rows).is_none() {
        return Ok(None);
    }
    let size = TerminalSize { cols: look.cols.unwrap_or(usual.cols), rows: look.rows.unwrap_or(usual.rows) };
    if size.is_valid() {
        return Ok(Some(size));
    }
    let detail = format!("cols and rows must be between 1 and {}", TerminalSize::MOST);
    Err(Problem::bad_request("terminal_size_invalid", detail))
}

/// The parts of a terminal that are told first.
fn greeting(terminal: &Terminal) -> String {
    format!("Connected to {} in {}", terminal.shell, terminal.directory)
}
