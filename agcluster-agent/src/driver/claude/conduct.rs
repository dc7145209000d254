//! The conduct of a session: which turn a line belongs to, when a turn ends, what waits for an answer.
//!
//! No input or output is done here: lines go in, events are recorded, and what is to be done comes out.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use agcluster_protocol::event::{NoticeLevel, Resolution};
use agcluster_protocol::{
    Answer, EventBody, FailureReason, Outcome, PermissionMode, PromptBlock, PromptId, TurnEnd, TurnId,
};
use serde_json::{Map, Value};

use super::ask::{Ask, allow};
use super::control;
use super::scrub::Scrub;
use super::translate::{Ended, Said, Translator};
use super::working::Working;
use crate::driver::{self, DriverError};
use crate::program::Exit;
use crate::recorder::{Entry, Recorder};

/// What a line asks to be done.
#[derive(Debug, PartialEq)]
pub(super) enum ToDo {
    /// Write this line to the program.
    Write(Value),
    /// A request of ours was answered.
    Answered { request_id: String, answer: Result<Value, String> },
    /// Find out why MCP servers do not answer.
    LookAtServers,
}

pub(super) struct Conduct {
    recorder: Recorder,
    translator: Translator,
    /// The client's turn, whose prompt the program has.
    client: Option<Working>,
    /// The turn that the program has begun of its own accord.
    own: Option<Working>,
    asks: HashMap<String, Ask>,
    mode: String,
    pub(super) scrub: Scrub,
    /// MCP servers that were complained about.
    failed_servers: HashSet<String>,
}

/// Why the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody knows.
    Died,
    /// It was to end a turn.
    Interrupted,
    /// It was to be started again.
    Restarted,
}

impl Conduct {
    pub(super) fn new(recorder: Recorder, conversation: String, home: &Path, mode: PermissionMode) -> Self {
        Self {
            recorder,
            translator: Translator::new(conversation, home),
            client: None,
            own: None,
            asks: HashMap::new(),
            mode: mode.as_str().to_owned(),
            scrub: Scrub::default(),
            failed_servers: HashSet::new(),
        }
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(super) fn conversation(&self) -> &str {
        self.translator.conversation()
    }

    /// Whether the program works, as far as is known.
    pub(super) fn is_busy(&self) -> bool {
        self.client.is_some() || self.own.is_some()
    }

    /// Whether this turn is under way.
    pub(super) fn works_on(&self, turn: TurnId) -> bool {
        [&self.client, &self.own].into_iter().flatten().any(|working| working.turn == turn)
    }

    /// The line with which the prompt of a client's turn is handed over.
    pub(super) fn prompt(&mut self, turn: TurnId, prompt: &[PromptBlock]) -> Value {
        self.client = Some(Working::new(turn, false));
        control::prompt(turn.0, prompt)
    }

    /// The line with which a prompt is added to the client's turn, if that was handed over.
    pub(super) fn add(&mut self, turn: TurnId, id: PromptId, prompt: &[PromptBlock]) -> Option<Value> {
        let client = self.client.as_mut().filter(|client| client.turn == turn)?;
        client.add(id);
        Some(control::prompt(id.0, prompt))
    }

    /// Whether a client's turn was handed over that the program has not begun to work on.
    pub(super) fn is_waiting(&self, turn: TurnId) -> bool {
        self.client.as_ref().is_some_and(|client| client.turn == turn && !client.started)
    }

    /// Takes a turn back that the program has never begun to work on.
    pub(super) fn take_back(&mut self) {
        self.client = None;
    }

    /// A line of the program's output.
    pub(super) fn line(&mut self, line: &[u8]) -> Vec<ToDo> {
        let mut to_do = Vec::new();
        match serde_json::from_slice(line) {
            Ok(Value::Object(object)) => {
                for said in self.translator.translate(object) {
                    self.take(said, &mut to_do);
                }
            }
            Ok(payload) => self.vendor(payload),
            Err(_) => self.vendor(Value::from(String::from_utf8_lossy(line))),
        }
        to_do
    }

    fn take(&mut self, said: Said, to_do: &mut Vec<ToDo>) {
        match said {
            Said::Event(entry) => self.record(entry),
            Said::Begins(messages) => self.begins(&messages),
            Said::ModelCall => {
                if let Some(working) = self.own.as_mut().or(self.client.as_mut()) {
                    working.model_calls += 1;
                }
            }
            Said::Ends(ended) => self.ends(*ended),
            Said::Lifecycle { message, state } => self.lifecycle(&message, &state),
            Said::Asks { request_id, request } => to_do.extend(self.asks(request_id, request)),
            Said::AsksNoMore { request_id } => {
                self.asks.remove(&request_id);
                self.resolved(request_id, Resolution::Withdrawn);
            }
            Said::Answers { request_id, answer } => to_do.push(ToDo::Answered { request_id, answer }),
            Said::Mode(mode) => self.mode_is(mode),
            Said::FailedServers(names) => {
                if names.iter().any(|name| !self.failed_servers.contains(name)) {
                    to_do.push(ToDo::LookAtServers);
                }
            }
        }
    }

    /// The program begins to work. What it begins unasked is a turn of its own, unless a client's turn is under way.
    fn begins(&mut self, messages: &[String]) {
        if self.client.as_mut().is_some_and(|client| client.takes_up(messages)) {
            self.started();
        } else if self.own.is_none() && !self.client.as_ref().is_some_and(|client| client.started) {
            self.own = Some(Working::new(self.recorder.begin_own(), true));
        }
    }

    /// The program works on the client's turn, and so no more on its own.
    fn started(&mut self) {
        if let Some(own) = self.own.take() {
            self.end(&own, TurnEnd::bare(Outcome::Completed), Map::new());
        }
        if let Some(client) = &mut self.client {
            client.started = true;
        }
    }

    fn ends(&mut self, ended: Ended) {
        let Ended { messages, end, extra } = ended;
        let is_clients = self.client.as_ref().is_some_and(|client| {
            client.is_named(&messages) || (messages.is_empty() && self.own.is_none() && client.started)
        });
        if is_clients && let Some(mut client) = self.client.take() {
            // A prompt may have been taken up into work that the program had begun by itself.
            if let Some(own) = self.own.take() {
                self.end(&own, TurnEnd::bare(end.outcome.clone()), Map::new());
            }
            client.done_with(&messages);
            if end.outcome != Outcome::Interrupted && client.has_more() {
                // A prompt was added too late for this work, and is taken up next.
                client.so_far(end);
                self.client = Some(client);
                self.vendor(Value::Object(extra));
                return;
            }
            self.end(&client, end, extra);
        } else if let Some(own) = self.own.take() {
            self.end(&own, end, extra);
        } else {
            // The turn has been ended from here.
            self.vendor(Value::Object(extra));
        }
    }

    /// The program is done with a message. Its result came before, unless there is none: then this ends the turn.
    fn lifecycle(&mut self, message: &str, state: &str) {
        let Some(client) = &mut self.client else { return };
        let is_turns = client.turn.to_string() == message;
        let outcome = match state {
            "started" if is_turns => return self.started(),
            "started" => {
                client.takes_up(&[message.to_owned()]);
                return;
            }
            "completed" => Outcome::Completed,
            "cancelled" => Outcome::Interrupted,
            _ => return,
        };
        let over = if is_turns {
            // With a result, the turn goes on for the sake of what was added to it.
            !client.has_result()
        } else {
            client.done_with(&[message.to_owned()]) && client.has_result() && !client.has_more()
        };
        if over && let Some(client) = self.client.take() {
            self.end(&client, TurnEnd::bare(outcome), Map::new());
        }
    }

    fn asks(&mut self, request_id: String, request: Map<String, Value>) -> Option<ToDo> {
        if request.get("subtype").and_then(Value::as_str) != Some("can_use_tool") {
            let refusal = control::refusal(&request_id, "this host does not support the request");
            self.vendor(Value::Object(request));
            return Some(ToDo::Write(refusal));
        }
        let needs_people = request.get("requires_user_interaction") == Some(&Value::Bool(true));
        // Only allowed tools exist, and in these modes they run without asking.
        if matches!(self.mode.as_str(), "acceptEdits" | "bypassPermissions") && !needs_people {
            let input = request.get("input").unwrap_or(&Value::Null);
            return Some(ToDo::Write(control::answer(&request_id, allow(input))));
        }
        let (ask, entry) = Ask::read(&request_id, request);
        self.asks.insert(request_id, ask);
        self.record(entry);
        None
    }

    /// The line with which an answer is passed on. The request is asked no more then.
    pub(super) fn answer(&mut self, answer: &Answer) -> Result<Value, DriverError> {
        let ask = self.asks.get(&answer.request_id).ok_or(DriverError::UnknownRequest)?;
        let (response, resolution) = ask.answer(&answer.decision)?;
        self.asks.remove(&answer.request_id);
        self.resolved(answer.request_id.clone(), resolution);
        Ok(control::answer(&answer.request_id, response))
    }

    fn mode_is(&mut self, mode: String) {
        if mode != self.mode {
            if let Some(mode) = permission_mode(&mode) {
                self.record(EventBody::ModeChanged { mode }.into());
            }
            self.mode = mode;
        }
    }

    /// The mode that the program is in, unless it is one that cannot be configured.
    pub(super) fn mode(&self) -> Option<PermissionMode> {
        permission_mode(&self.mode)
    }

    pub(super) fn model_is(&self, model: String) {
        self.record(EventBody::ModelChanged { model }.into());
    }

    /// While no program runs, the mode is what the next one will be started with.
    pub(super) fn set_mode(&mut self, mode: PermissionMode) {
        self.mode_is(mode.as_str().to_owned());
    }

    /// Tells of MCP servers that do not answer, from the answer of `mcp_status`. The rest of that answer may hold secrets.
    pub(super) fn servers(&mut self, status: &Value) {
        let servers = status["mcpServers"].as_array().map_or(&[][..], Vec::as_slice);
        for server in servers.iter().filter(|server| server["status"] == "failed") {
            let name = server["name"].as_str().unwrap_or_default();
            if self.failed_servers.insert(name.to_owned()) {
                let why = server["error"].as_str().unwrap_or("it does not say why");
                self.notice(&format!("the MCP server {name} does not answer: {}", self.scrub.clean(why)));
            }
        }
    }

    /// The program has ended, and its turns with it: as interrupted when that was asked for.
    pub(super) fn exited(&mut self, exit: &Exit, ending: Ending) {
        let stderr = self.scrub.clean(&exit.stderr);
        let message = self.describe(exit);
        self.record(EventBody::AgentExited { code: exit.code, signal: exit.signal, stderr }.into());
        self.abandon(&match ending {
            Ending::Died => Outcome::Failed { reason: FailureReason::AgentExited, message },
            Ending::Interrupted => Outcome::Interrupted,
            Ending::Restarted => Outcome::Failed {
                reason: FailureReason::AgentRestarted,
                message: driver::RESTARTED.to_owned(),
            },
        });
    }

    /// How the program ended, and the last it said.
    pub(super) fn describe(&self, exit: &Exit) -> String {
        let stderr = self.scrub.clean(&exit.stderr);
        let last_line = stderr.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
        format!("the agent program {}{last_line}", exit.describe())
    }

    /// Ends the turns that are under way.
    pub(super) fn abandon(&mut self, outcome: &Outcome) {
        for working in [self.own.take(), self.client.take()].into_iter().flatten() {
            self.end(&working, TurnEnd::bare(outcome.clone()), Map::new());
        }
        for request_id in std::mem::take(&mut self.asks).into_keys() {
            self.resolved(request_id, Resolution::Withdrawn);
        }
        self.translator.forget_open_messages();
    }

    pub(super) fn notice(&self, message: &str) {
        let (level, message) = (NoticeLevel::Warning, message.to_owned());
        self.record(EventBody::Notice { level, message }.into());
    }

    fn vendor(&self, payload: Value) {
        self.record(EventBody::Vendor { source: "claude".to_owned(), payload }.into());
    }

    fn resolved(&self, request_id: String, resolution: Resolution) {
        self.record(EventBody::RequestResolved { request_id, resolution }.into());
    }

    fn record(&self, entry: Entry) {
        let turn = self.own.as_ref().or(self.client.as_ref()).map(|working| working.turn);
        self.recorder.record(turn, entry);
    }

    fn end(&self, working: &Working, end: TurnEnd, extra: Map<String, Value>) {
        let duration_ms = self.recorder.age_ms(working.turn);
        let end = TurnEnd { duration_ms, model_calls: working.model_calls, ..working.whole(end) };
        self.recorder.end(working.turn, end, extra);
    }
}

fn permission_mode(name: &str) -> Option<PermissionMode> {
    serde_json::from_value(Value::from(name)).ok()
}
