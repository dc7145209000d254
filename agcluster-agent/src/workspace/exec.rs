//! Commands: see [`agcluster_protocol::workspace::EXEC`].

mod command;
mod output;
mod registry;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{Exec, ExecFrame, INVALID_REQUEST, KeptExec, Placed, TOO_MANY_COMMANDS};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use futures::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::kept::{self, Kept, Read};
use super::{WorkspaceConfig, frames};
use crate::http::{JsonBody, Refusal};
use crate::program::ProcessTree;
use command::Command;
use output::Output;
use registry::Registry;

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
    kept: Registry,
}

/// The routes, beneath the workspace's prefix.
pub(super) fn routes(config: WorkspaceConfig, tree: Arc<ProcessTree>) -> Router {
    let places = Arc::new(Semaphore::new(MOST_COMMANDS));
    Router::new().route("/exec", post(exec)).with_state(Arc::new(Commands {
        config,
        tree,
        places,
        kept: Registry::default(),
    }))
}

async fn exec(
    State(commands): State<Arc<Commands>>,
    JsonBody(mut exec): JsonBody<Exec>,
) -> Result<Response, Refusal> {
    let limit = limit(&exec)?;
    match exec.kept.take() {
        None => {
            let (frames, sent) = mpsc::channel(WAITING_FRAMES);
            commands.start(exec, limit, Output::Read(frames))?;
            let frames = stream::unfold(sent, |mut sent| async move { Some((sent.recv().await?, sent)) });
            Ok(respond(frames.map(Placed::nowhere)))
        }
        Some(named) => {
            let (kept, from) = commands.kept(exec, limit, &named)?;
            Ok(respond(kept.follow(from).filter_map(|read| {
                // Nothing is dropped before it is read.
                std::future::ready(if let Read::Frame(placed) = read { Some(placed) } else { None })
            })))
        }
    }
}

fn respond(frames: impl Stream<Item = Placed<ExecFrame>> + Send + 'static) -> Response {
    frames::respond(frames, Placed::nowhere(ExecFrame::Alive))
}

impl Commands {
    fn start(&self, exec: Exec, limit: Duration, output: Output) -> Result<(), Refusal> {
        if self.config.closing.is_cancelled() {
            return Err(Refusal::new(codes::INTERNAL, "the workspace is ending"));
        }
        let place = self.place()?;
        let command = Command::start(exec, &self.config, self.tree.clone())?;
        let closing = self.config.closing.clone();
        self.config.tasks.spawn(async move {
            command.attend(limit, output, closing).await;
            drop(place);
        });
        Ok(())
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST_COMMANDS} commands run, which is the most: wait for one of them");
            Refusal::new(TOO_MANY_COMMANDS, detail)
        })
    }

    /// The command of this name, which is started when there is none, and where its reader goes on.
    fn kept(
        &self,
        exec: Exec,
        limit: Duration,
        named: &KeptExec,
    ) -> Result<(Arc<Kept<ExecFrame>>, u64), Refusal> {
        let kept = self.kept.find(named, |kept| {
            if named.after.is_some() {
                // It is not run again for a reader who has seen it run.
                return Err(kept::gone());
            }
            self.start(exec, limit, Output::Kept(kept.clone()))
        })?;
        let from = kept.behind(named.after)?;
        Ok((kept, from))
    }
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
