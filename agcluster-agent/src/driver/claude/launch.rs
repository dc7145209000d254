//! Starting the program, up to the point where it takes prompts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agcluster_protocol::AgentOptions;
use bytes::Bytes;
use serde_json::Value;
use std::path::PathBuf;

use super::command::{self, Conversation, Current, Places};
use super::places::Home;
use super::scrub::Scrub;
use super::tools::Tools;
use super::{control, initialize};
use crate::ServerConfig;
use crate::driver::DriverError;
use crate::model_proxy::ModelProxy;
use crate::program::{Exit, FromProgram, Launch, ProcessTree, Program};
use crate::vitals::Vitals;

/// The id of the first request.
const INITIALIZE: &str = "initialize";

/// All that is needed to start the program, again and again.
pub(super) struct Launcher {
    pub(super) config: Arc<ServerConfig>,
    pub(super) tree: Arc<ProcessTree>,
    pub(super) options: AgentOptions,
    pub(super) tools: Tools,
    pub(super) program: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) home: Home,
    pub(super) proxy: ModelProxy,
    pub(super) vitals: Arc<Vitals>,
}

/// A program that takes prompts.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) program: Program,
    pub(super) version: String,
    /// What it said before it was ready.
    pub(super) early: Vec<Bytes>,
    /// Its token for the model, which it may repeat where people can read it.
    pub(super) token: String,
}

impl Launcher {
    /// Starts the program and waits until it is ready, at most [`ServerConfig::start_timeout`]. Dropping the future kills
    /// it.
    pub(super) async fn start(
        &self,
        current: &Current,
        conversation: &Conversation,
    ) -> Result<Started, DriverError> {
        let limit = self.config.start_timeout;
        let started = tokio::time::timeout(limit, self.start_now(current, conversation)).await;
        started.unwrap_or_else(|_| {
            Err(DriverError::Timeout(format!(
                "Claude Code was not ready after {} seconds: look at the load and the limits of the container",
                limit.as_secs()
            )))
        })
    }

    /// The names of the program's variables.
    pub(super) fn variables(&self) -> BTreeSet<String> {
        self.environment(String::new()).into_keys().collect()
    }

    fn environment(&self, token: String) -> BTreeMap<String, String> {
        let temporary = self.home.temporary();
        let places = Places { home: self.home.path(), temporary: temporary.as_deref() };
        command::environment(&self.options, &self.tools, &places, self.proxy.base_url(), token)
    }

    async fn start_now(
        &self,
        current: &Current,
        conversation: &Conversation,
    ) -> Result<Started, DriverError> {
        let token = self.proxy.new_token()?;
        let launch = Launch {
            program: self.program.clone(),
            arguments: command::arguments(&self.options, &self.tools, current, conversation),
            environment: self.environment(token.clone()),
            directory: self.directory.clone(),
            user: self.config.agent_user,
            pulse: self.vitals.pulse(),
        };
        let mut program = Program::spawn(launch, self.tree.clone()).map_err(|error| {
            DriverError::StartFailed(format!(
                "Claude Code cannot be started as the agent's user in {}: {error}",
                self.directory.display()
            ))
        })?;
        let first = initialize::request(&self.options, &self.tools);
        // When it cannot be written, the program has ended, and says below why.
        let _ = program.write_line(control::request(INITIALIZE, first).to_string().into_bytes());
        let mut early = Vec::new();
        loop {
            let line = match program.next().await {
                Some(FromProgram::Line(line)) => line,
                Some(FromProgram::Exited(exit)) => return Err(not_started(&exit, &early)),
                Some(FromProgram::LineTooLong) | None => {
                    return Err(DriverError::StartFailed(
                        "Claude Code does not speak its protocol".to_owned(),
                    ));
                }
            };
            match initialized(&line) {
                None => early.push(line),
                Some(Err(error)) => {
                    return Err(DriverError::StartFailed(format!(
                        "Claude Code refuses its configuration: {error}"
                    )));
                }
                Some(Ok(version)) => return Ok(Started { program, version, early, token }),
            }
        }
    }
}

/// The version of the program, when the line is its answer to the first request.
fn initialized(line: &[u8]) -> Option<Result<String, String>> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let response = &line["response"];
    if line["type"] != "control_response" || response["request_id"] != INITIALIZE {
        return None;
    }
    if response["subtype"] != "success" {
        return Some(Err(response["error"].as_str().unwrap_or("it does not say why").to_owned()));
    }
    let version = response["response"]["claude_code_version"].as_str().unwrap_or("of unknown version");
    Some(Ok(version.to_owned()))
}

/// What a program that ended before it was ready said about it: on its standard error, or as a result.
fn not_started(exit: &Exit, early: &[Bytes]) -> DriverError {
    let reported = early.iter().rev().find_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        line["errors"][0].as_str().map(str::to_owned)
    });
    let why = reported.or_else(|| exit.stderr.lines().last().map(str::to_owned));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    DriverError::StartFailed(format!("Claude Code {} before it was ready{why}", exit.describe()))
}

impl DriverError {
    /// The same without secrets that the program may have repeated.
    pub(super) fn cleaned(self, scrub: &Scrub) -> Self {
        match self {
            Self::StartFailed(text) => Self::StartFailed(scrub.clean(&text)),
            Self::Refused(text) => Self::Refused(scrub.clean(&text)),
            other => other,
        }
    }
}

impl Conversation {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::New(id) | Self::Resumed(id) => id,
        }
    }
}
