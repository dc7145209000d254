//! Commands in a session.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::machine::{CWD, Execution, Machine, Output};
use super::names::strings;
use super::objects::{now, of_command};
use super::reply::{Answer, Refusal, Reply};
use super::world::World;

/// A command that runs or ran.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) args: Vec<String>,
    pub(super) cwd: String,
    pub(super) session: String,
    pub(super) started_at: i64,
    pub(super) state: watch::Sender<State>,
}

/// How far a command is.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Pieces of output, as lines of a stream have them.
    lines: Vec<Value>,
    /// Its process, in the machine.
    pid: Option<String>,
    pub(super) exit: Option<i64>,
    pub(super) duration_ms: Option<i64>,
    /// Its machine ended before it did.
    cut_off: bool,
}

impl State {
    fn is_over(&self) -> bool {
        self.exit.is_some() || self.cut_off
    }
}

/// Says its process id first, then becomes the command.
const ANNOUNCE: &str = r#"echo "$$"; exec "$@""#;

impl World {
    pub(super) fn command(&self, session: &str, id: &str) -> Result<Arc<Command>, Refusal> {
        let session = self.session(session)?;
        let found = session.commands().iter().find(|command| command.id == id).cloned();
        found.ok_or_else(|| Refusal::not_found("Command"))
    }

    pub(super) async fn run(self: &Arc<Self>, session: &str, body: &Value) -> Answer {
        let session = self.session(session)?;
        let machine = session.running()?.clone();
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        let args: Vec<String> = body["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|arg| Some(arg.as_str()?.to_owned()))
            .collect();
        let command = Arc::new(Command {
            id: self.id("cmd"),
            name: text("command").unwrap_or_default(),
            args,
            cwd: text("cwd").unwrap_or_else(|| CWD.to_owned()),
            session: session.id.clone(),
            started_at: now(),
            state: watch::Sender::default(),
        });
        let sudo = body["sudo"].as_bool().unwrap_or_default();
        let mut env = session.new.env.clone();
        env.extend(strings(&body["env"]));
        env.insert("HOME".to_owned(), if sudo { "/root" } else { "/vercel" }.to_owned());
        let env = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut words = vec!["/bin/sh".to_owned(), "-c".to_owned(), ANNOUNCE.to_owned(), "sh".to_owned()];
        words.push(command.name.clone());
        words.extend(command.args.iter().cloned());
        let execution = machine.start(sudo, &command.cwd, env, words).await;
        // The machine may have ended between the two calls.
        let execution = execution.map_err(|error| session.running().err().unwrap_or_else(|| error.into()))?;
        session.commands().push(Arc::clone(&command));
        let limit = body["timeout"].as_u64().map(Duration::from_millis);
        tokio::spawn(follow(Arc::clone(&command), machine, execution, limit));
        if body["wait"] == true {
            return Ok(Reply::Lines(command.output(true)));
        }
        Ok(Reply::Json(json!({"command": of_command(&command)})))
    }

    pub(super) async fn kill(&self, session: &str, id: &str, body: &Value) -> Answer {
        let command = self.command(session, id)?;
        let session = self.session(session)?;
        let machine = session.running()?;
        command.kill(machine, body["signal"].as_u64().unwrap_or(15)).await?;
        Ok(Reply::Json(json!({"command": of_command(&command)})))
    }
}

impl Command {
    /// Waits for its end.
    pub(super) async fn ended(&self) -> Result<(), Refusal> {
        let mut state = self.state.subscribe();
        let cut_off = state.wait_for(State::is_over).await.map(|state| state.cut_off);
        match cut_off {
            Ok(false) => Ok(()),
            _ => Err(Refusal::new(410, "sandbox_stopped", "Sandbox is stopped")),
        }
    }

    async fn kill(&self, machine: &Machine, signal: u64) -> anyhow::Result<()> {
        let mut state = self.state.subscribe();
        let pid = {
            let known = state.wait_for(|state| state.pid.is_some() || state.is_over()).await;
            known.ok().filter(|state| !state.is_over()).and_then(|state| state.pid.clone())
        };
        if let Some(pid) = pid {
            // It may have ended by itself meanwhile.
            machine.run(true, &["kill", &format!("-{signal}"), &pid]).await?;
        }
        Ok(())
    }

    /// What it writes, from the beginning to the end; between two lines about itself if that is asked for.
    pub(super) fn output(self: &Arc<Self>, framed: bool) -> BoxStream<'static, Value> {
        let first = framed.then(|| json!({"command": of_command(self)}));
        let state = (Arc::clone(self), self.state.subscribe(), 0_usize, false);
        let rest = stream::unfold(state, move |(command, mut changes, next, over)| async move {
            if over {
                return None;
            }
            let (line, last) = {
                let state =
                    changes.wait_for(|state| state.lines.len() > next || state.is_over()).await.ok()?;
                match state.lines.get(next) {
                    Some(line) => (Some(line.clone()), false),
                    None if state.cut_off => {
                        let data = json!({"code": "sandbox_stopped", "message": "Sandbox is stopped"});
                        (Some(json!({"stream": "error", "data": data})), true)
                    }
                    None => (None, true),
                }
            };
            let line = line.or_else(|| framed.then(|| json!({"command": of_command(&command)})))?;
            Some((line, (command, changes, next + 1, last)))
        });
        stream::iter(first).chain(rest).boxed()
    }
}

/// Collects what a command writes until it ends, and ends it when it takes too long.
async fn follow(command: Arc<Command>, machine: Machine, mut execution: Execution, limit: Option<Duration>) {
    let mut announced = Vec::new();
    let collect = async {
        while let Some(Ok(piece)) = execution.output.next().await {
            let (stream, mut bytes) = match piece {
                Output::Stderr(bytes) => ("stderr", bytes),
                Output::Stdout(bytes) => ("stdout", bytes),
            };
            if stream == "stdout" && command.state.borrow().pid.is_none() {
                announced.extend_from_slice(&bytes);
                let Some(end) = announced.iter().position(|byte| *byte == b'\n') else { continue };
                let pid = String::from_utf8_lossy(&announced[..end]).into_owned();
                command.state.send_modify(|state| state.pid = Some(pid));
                bytes = announced.split_off(end + 1).into();
            }
            if !bytes.is_empty() {
                let line = json!({"stream": stream, "data": String::from_utf8_lossy(&bytes)});
                command.state.send_modify(|state| state.lines.push(line));
            }
        }
    };
    match limit {
        None => collect.await,
        Some(limit) => {
            let killing = async {
                tokio::time::sleep(limit).await;
                let _ = command.kill(&machine, 9).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = collect => {}
                () = killing => {}
            }
        }
    }
    let exit = machine.exit_code(&execution.id).await;
    command.state.send_modify(|state| {
        state.exit = exit;
        state.cut_off = exit.is_none();
        state.duration_ms = exit.is_some().then(|| now() - command.started_at);
    });
}
