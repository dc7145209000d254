//! Commands in a session, and what they write.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ndjson::LineBuffer;
use super::{Api, Command, Failure, answered, failure, to_json};

/// A command to run. The order of the fields is that of Vercel's own client.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run<'a> {
    pub(crate) command: &'a str,
    pub(crate) args: &'a [String],
    pub(crate) env: BTreeMap<String, String>,
    /// As root.
    pub(crate) sudo: bool,
    /// Milliseconds, after which Vercel ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<u64>,
}

#[derive(Serialize)]
struct Waited<'a> {
    #[serde(flatten)]
    run: &'a Run<'a>,
    wait: bool,
    logs: bool,
}

#[derive(Deserialize)]
struct OfCommand {
    command: Command,
}

#[derive(Deserialize)]
struct OfCommands {
    commands: Vec<Command>,
}

#[derive(Serialize)]
struct Kill {
    signal: i32,
}

/// One line of a command's stream.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    /// The command: at the beginning, and with its exit code at the end.
    Command(Command),
    /// A piece of its output.
    Output { is_error: bool, data: Bytes },
    /// The stream ends here, usually because the session does.
    Error { code: String },
}

/// Lines of a stream, as they come.
pub(crate) type Lines = BoxStream<'static, Result<Line, Failure>>;

/// What Vercel writes; compared for equality, as its own client does.
const NDJSON: &str = "application/x-ndjson";

impl Api {
    /// Starts a command and leaves it.
    pub(crate) async fn start(&self, session: &str, run: &Run<'_>) -> Result<Command, Failure> {
        let path = commands(session);
        let seen: OfCommand = self.send(Method::POST, &path, &[], run, self.timeouts.call()).await?;
        Ok(seen.command)
    }

    /// Runs a command and gives its stream. The answer may take as long as the API likes: the caller has a limit.
    pub(crate) async fn run(&self, session: &str, run: &Run<'_>) -> Result<Lines, Failure> {
        let body = to_json(&Waited { run, wait: true, logs: true })?;
        lines(self.request(Method::POST, &commands(session), &[]).body(body)).await
    }

    /// What a command wrote, and goes on to write while it runs.
    pub(crate) async fn logs(&self, session: &str, command: &str) -> Result<Lines, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "cmd", command, "logs"];
        lines(self.request(Method::GET, &path, &[])).await
    }

    /// All commands of a session.
    pub(crate) async fn commands(&self, session: &str) -> Result<Vec<Command>, Failure> {
        let path = commands(session);
        let seen: OfCommands = self.call(Method::GET, &path, &[], self.timeouts.call()).await?;
        Ok(seen.commands)
    }

    /// Waits for a command's end.
    pub(crate) async fn wait(
        &self,
        session: &str,
        command: &str,
        limit: Duration,
    ) -> Result<Command, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "cmd", command];
        let seen: OfCommand = self.call(Method::GET, &path, &[("wait", "true")], limit).await?;
        Ok(seen.command)
    }

    /// Sends a command a signal.
    pub(crate) async fn kill(&self, session: &str, command: &str, signal: i32) -> Result<(), Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "cmd", command, "kill"];
        let limit = self.timeouts.call();
        let _: OfCommand = self.send(Method::POST, &path, &[], &Kill { signal }, limit).await?;
        Ok(())
    }
}

fn commands(session: &str) -> [&str; 5] {
    ["v2", "sandboxes", "sessions", session, "cmd"]
}

async fn lines(request: RequestBuilder) -> Result<Lines, Failure> {
    let response = answered(request).await?;
    let id = failure::request_id(&response);
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind != Some(NDJSON) {
        let reason = format!("a stream of commands has the type {}", kind.unwrap_or("none"));
        return Err(Failure::nonsense(reason).of_request(id));
    }
    let state = (response.bytes_stream(), LineBuffer::default(), id, false);
    let lines = futures::stream::try_unfold(state, |(mut pieces, mut buffer, id, mut over)| async move {
        loop {
            let next = buffer.next().map_err(|_| "a line of a command's stream has no end".to_owned());
            let line = match next {
                Ok(Some(line)) => Some(line),
                Ok(None) if over => buffer.last(),
                Ok(None) => None,
                Err(reason) => return Err(Failure::nonsense(reason).of_request(id)),
            };
            match line {
                Some(line) => {
                    let line = parse(&line).map_err(|failure| failure.of_request(id.clone()))?;
                    return Ok(Some((line, (pieces, buffer, id, over))));
                }
                None if over => return Ok(None),
                None => match pieces.next().await {
                    Some(piece) => buffer.push(&piece?),
                    None => over = true,
                },
            }
        }
    });
    Ok(lines.boxed())
}

#[derive(Deserialize)]
struct Raw {
    command: Option<Command>,
    stream: Option<String>,
    #[serde(default)]
    data: Value,
}

fn parse(line: &[u8]) -> Result<Line, Failure> {
    let unreadable =
        |reason: &str| Failure::nonsense(format!("a line of a command's stream is unreadable: {reason}"));
    let raw: Raw = serde_json::from_slice(line).map_err(|error| unreadable(&error.to_string()))?;
    if let Some(command) = raw.command {
        return Ok(Line::Command(command));
    }
    match (raw.stream.as_deref(), raw.data) {
        (Some("stdout"), Value::String(data)) => Ok(Line::Output { is_error: false, data: data.into() }),
        (Some("stderr"), Value::String(data)) => Ok(Line::Output { is_error: true, data: data.into() }),
        (Some("error"), Value::Object(error)) => {
            let code = error.get("code").and_then(Value::as_str).unwrap_or_default();
            Ok(Line::Error { code: code.chars().take(64).collect() })
        }
        _ => Err(unreadable("it is neither a command nor output")),
    }
}
