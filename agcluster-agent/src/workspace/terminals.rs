//! Terminals: see [`agcluster_protocol::workspace::TERMINALS`].

mod follow;
mod registry;
mod scrollback;
mod shell;
mod terminal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use agcluster_protocol::workspace::{
    INVALID_REQUEST, OpenTerminal, TerminalFrame, TerminalList, TerminalSize, is_terminal_name,
};
use agcluster_protocol::{codes, workspace::Terminal as View};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde::Deserialize;

use super::{WorkspaceConfig, frames};
use crate::http::{JsonBody, Refusal};
use crate::program::ProcessTree;
use registry::Terminals;

/// The most input in one request.
const MOST_INPUT: usize = 1 << 20;

/// The routes, beneath the workspace's prefix.
pub(super) fn routes(config: WorkspaceConfig, tree: Arc<ProcessTree>) -> Router {
    Router::new()
        .route("/terminals", get(list))
        .route("/terminals/{name}", post(open).delete(end))
        .route("/terminals/{name}/output", get(output))
        .route("/terminals/{name}/input", post(input))
        .route("/terminals/{name}/resize", post(resize))
        .with_state(Arc::new(Terminals::new(config, tree)))
}

type All = State<Arc<Terminals>>;

async fn list(State(terminals): All) -> Json<TerminalList> {
    Json(TerminalList { terminals: terminals.list() })
}

async fn open(
    State(terminals): All,
    Path(name): Path<String>,
    JsonBody(OpenTerminal { size }): JsonBody<OpenTerminal>,
) -> Result<Json<View>, Refusal> {
    if !is_terminal_name(&name) {
        let detail = "a terminal's name has 1 to 128 letters, digits, dots, underscores and hyphens";
        return Err(Refusal::new(INVALID_REQUEST, detail));
    }
    let size = size.map(checked).transpose()?;
    let (terminal, created) = terminals.open(&name, size)?;
    if let (Some(size), false) = (size, created) {
        terminal.resize(size).await?;
    }
    Ok(Json(terminal.view(created)))
}

#[derive(Deserialize)]
struct From {
    /// The offset to begin at; the oldest that is kept when absent.
    after: Option<u64>,
}

async fn output(
    State(terminals): All,
    Path(name): Path<String>,
    Query(From { after }): Query<From>,
) -> Result<Response, Refusal> {
    let terminal = terminals.get(&name)?;
    let view = terminal.view(false);
    let after = after.unwrap_or(view.oldest);
    if after > view.newest {
        let detail = format!("the output of this terminal reaches to {}, not to {after}", view.newest);
        return Err(Refusal::new(codes::CURSOR_IN_FUTURE, detail));
    }
    Ok(frames::respond(follow::follow(terminal, after), TerminalFrame::Alive))
}

async fn input(State(terminals): All, Path(name): Path<String>, body: Body) -> Result<StatusCode, Refusal> {
    let terminal = terminals.get(&name)?;
    let mut pieces = body.into_data_stream();
    let mut taken = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece
            .map_err(|_| Refusal::new(codes::INVALID_REQUEST, "the input broke off: send the rest again"))?;
        taken += piece.len();
        if taken > MOST_INPUT {
            let detail = format!("one request takes {MOST_INPUT} bytes of input: send it in pieces");
            return Err(Refusal::new(codes::TOO_LARGE, detail));
        }
        terminal.write(&piece).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn resize(
    State(terminals): All,
    Path(name): Path<String>,
    JsonBody(size): JsonBody<TerminalSize>,
) -> Result<StatusCode, Refusal> {
    terminals.get(&name)?.resize(checked(size)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end(State(terminals): All, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    terminals.end(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn checked(size: TerminalSize) -> Result<TerminalSize, Refusal> {
    if size.is_valid() {
        return Ok(size);
    }
    let detail = format!("a window has 1 to {} columns and as many rows", TerminalSize::MOST);
    Err(Refusal::new(INVALID_REQUEST, detail))
}
