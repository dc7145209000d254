//! Commands: see [`agcluster_protocol::workspace::EXEC`].

mod command;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{Exec, ExecFrame, INVALID_REQUEST, TOO_MANY_COMMANDS};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use futures::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};

use super::{WorkspaceConfig, frames};
use crate::http::{JsonBody, Refusal};
use crate::program::ProcessTree;
use command::Command;

/// The longest a command runs when nothing else is said.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// The longest it may be allowed to run.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// The most commands at a time.
const MOST_COMMANDS: usize = 32;
/// Frames that wait to be sent; the command waits when there are more.
const WAITING_FRAMES: usize = 4;

/// What every request works with.
struct Commands {
    config: WorkspaceConfig,
    tree: Arc<ProcessTree>,
    places: Arc<Semaphore>,
}

/// The routes, beneath the workspace's prefix.
pub(super) fn routes(config: WorkspaceConfig, tree: Arc<ProcessTree>) -> Router {
    let places = Arc::new(Semaphore::new(MOST_COMMANDS));
    Router::new().route("/exec", post(exec)).with_state(Arc::new(Commands { config, tree, places }))
}

async fn exec(
    State(commands): State<Arc<Commands>>,
    JsonBody(exec): JsonBody<Exec>,
) -> Result<Response, Refusal> {
    let limit = limit(&exec)?;
    if commands.config.closing.is_cancelled() {
        return Err(Refusal::new(codes::INTERNAL, "the workspace is ending"));
    }
    let place = commands.places.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{MOST_COMMANDS} commands run, which is the most: wait for one of them");
        Refusal::new(TOO_MANY_COMMANDS, detail)
    })?;
    let command = Command::start(exec, &commands.config, commands.tree.clone())?;
    let (frames, sent) = mpsc::channel(WAITING_FRAMES);
    let closing = commands.config.closing.clone();
    commands.config.tasks.spawn(async move {
        command.attend(limit, frames, closing).await;
        drop(place);
    });
    let frames = stream::unfold(sent, |mut sent| async move { Some((sent.recv().await?, sent)) });
    Ok(frames::respond(frames.boxed(), ExecFrame::Alive))
}

/// How long the command may run.
fn limit(exec: &Exec) -> Result<Duration, Refusal> {
    let invalid = |detail: String| Err(Refusal::new(INVALID_REQUEST, detail));
    match exec.command.first() {
        Some(program) if !program.is_empty() => {}
        _ => return invalid("command is a list of a program and its arguments: name a program".to_owned()),
    }
    let has_nul = |text: &str| text.contains('\0');
    if exec.command.iter().any(|argument| has_nul(argument)) || exec.cwd.as_deref().is_some_and(has_nul) {
        return invalid("neither arguments nor a folder can have a zero byte in them".to_owned());
    }
    for (name, value) in &exec.env {
        if name.is_empty() || name.contains(['=', '\0']) || has_nul(value.expose()) {
            return invalid("a variable has a name without = in it, and no zero bytes".to_owned());
        }
    }
    let limit = exec.timeout_ms.map_or(USUAL_TIMEOUT, Duration::from_millis);
    if limit.is_zero() || limit > LONGEST_TIMEOUT {
        let hours = LONGEST_TIMEOUT.as_secs() / 3600;
        return invalid(format!("a command may run for a millisecond to {hours} hours"));
    }
    Ok(limit)
}
