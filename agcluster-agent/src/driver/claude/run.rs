//! The driver's task: orders to the program, and lines from it.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;

use agcluster_protocol::{FailureReason, Outcome, PermissionMode, PromptBlock, PromptId, Settings, TurnId};
use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::command::Current;
use super::conduct::{Conduct, Ending, ToDo};
use super::control;
use super::launch::{Launcher, Started};
use super::revive::Restarted;
use crate::driver::{Driver, DriverError, Order, Orders};
use crate::program::{FromProgram, Program};

/// Who waits for an order to be carried out.
pub(super) type Done = oneshot::Sender<Result<(), DriverError>>;

pub(super) struct Claude {
    pub(super) launcher: Arc<Launcher>,
    pub(super) conduct: Conduct,
    pub(super) current: Current,
    pub(super) program: State,
    /// Our requests that the program has not answered yet.
    pub(super) pending: HashMap<String, Pending>,
    requests: u64,
    /// A turn that is to end, and when it is ended by force.
    pub(super) interrupted: Option<(TurnId, Instant)>,
    /// The prompt of a turn that the program does not work on yet.
    pub(super) prompt: Option<Prompt>,
    /// Whether the program has ever been given a prompt, and so has a conversation to take up again.
    pub(super) prompted: bool,
    /// Who has ordered the program to be started again. While it still runs, it is on its way out.
    pub(super) restarts: Vec<Done>,
}

pub(super) enum State {
    Running(Program),
    Starting(BoxFuture<'static, Restarted>),
    /// It is started then; without a time, when it is needed.
    Stopped(Option<Instant>),
}

pub(super) struct Prompt {
    pub(super) turn: TurnId,
    pub(super) blocks: Vec<PromptBlock>,
    /// What was added to it.
    pub(super) added: Vec<(PromptId, Vec<PromptBlock>)>,
    /// Whether it was handed to a program that ended before it worked on it.
    pub(super) again: bool,
}

pub(super) enum Pending {
    Interrupt,
    Servers,
    Model { model: String, mode: Option<PermissionMode>, done: Done },
    Mode { mode: PermissionMode, done: Done },
}

/// Something that happened.
enum Happening {
    Order(Option<Order>),
    Program(FromProgram),
    Restarted(Box<Restarted>),
    StartDue,
    Overdue,
}

impl Claude {
    /// With a program that is ready; `prompted` says that it has a conversation already.
    pub(super) fn new(
        launcher: Arc<Launcher>,
        conduct: Conduct,
        current: Current,
        started: Started,
        prompted: bool,
    ) -> Self {
        let mut claude = Self {
            launcher,
            conduct,
            current,
            program: State::Stopped(None),
            pending: HashMap::new(),
            requests: 0,
            interrupted: None,
            prompt: None,
            prompted,
            restarts: Vec::new(),
        };
        claude.take_over(started);
        claude
    }

    pub(super) fn take_over(&mut self, started: Started) {
        self.launcher.vitals.started();
        self.conduct.scrub.add(&started.token);
        self.program = State::Running(started.program);
        for line in started.early {
            self.line(&line);
        }
    }

    /// Whatever happens next. Dropping the future loses nothing.
    async fn next(&mut self, orders: &mut Orders) -> Happening {
        let overdue = self.interrupted.map(|(_, at)| at);
        let overdue = async {
            match overdue {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        // What is about to end has to be heard out, however much is kept already.
        let ending = self.interrupted.is_some() || !self.restarts.is_empty();
        let program = async {
            match &mut self.program {
                State::Running(program) => {
                    if !ending {
                        self.conduct.recorder().room().await;
                    }
                    match program.next().await {
                        Some(said) => Happening::Program(said),
                        None => pending().await,
                    }
                }
                State::Starting(starting) => Happening::Restarted(Box::new(starting.await)),
                State::Stopped(Some(until)) => {
                    sleep_until(*until).await;
                    Happening::StartDue
                }
                State::Stopped(None) => pending().await,
            }
        };
        tokio::select! {
            order = orders.next() => Happening::Order(order),
            happening = program => happening,
            () = overdue => Happening::Overdue,
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Prompt { turn, prompt } => {
                self.prompt = Some(Prompt { turn, blocks: prompt, added: Vec::new(), again: false });
                self.hand_over();
            }
            Order::Steer { turn, id, prompt, done } => {
                let _ = done.send(self.steer(turn, id, prompt));
            }
            Order::Restart { done } => self.restart(done),
            Order::Interrupt { turn } => self.interrupt(turn),
            Order::Answer { answer, done } => {
                let passed_on = self.conduct.answer(&answer);
                let _ = done.send(passed_on.map(|line| self.write(&line)));
            }
            Order::Settings { settings, done } => self.settings(settings, done),
        }
    }

    /// Gives the program the prompt that waits; starts one first where there is none.
    pub(super) fn hand_over(&mut self) {
        let Some(prompt) = &self.prompt else { return };
        match &self.program {
            State::Running(_) => {
                let mut lines = vec![self.conduct.prompt(prompt.turn, &prompt.blocks)];
                let added = prompt.added.iter();
                lines.extend(added.filter_map(|(id, blocks)| self.conduct.add(prompt.turn, *id, blocks)));
                self.prompted = true;
                for line in lines {
                    self.write(&line);
                }
            }
            State::Starting(_) => {}
            State::Stopped(_) => self.start_again(),
        }
    }

    /// Adds a prompt to a client's turn. The program takes it up when the tool that runs is done, or else next.
    fn steer(&mut self, turn: TurnId, id: PromptId, blocks: Vec<PromptBlock>) -> Result<u64, DriverError> {
        let ending = self.interrupted.is_some_and(|(interrupted, _)| interrupted == turn);
        let waits = self.prompt.as_ref().is_some_and(|prompt| prompt.turn == turn);
        if ending || !(waits || self.conduct.works_on(turn)) {
            return Err(DriverError::NotRunning);
        }
        let (after, fresh) = self.conduct.recorder().add(turn, id, blocks.clone())?;
        if fresh {
            if let Some(line) = self.conduct.add(turn, id, &blocks) {
                self.write(&line);
            }
            // As long as the program has not looked at the turn, another one may get all of it.
            if let Some(prompt) = self.prompt.as_mut().filter(|prompt| prompt.turn == turn) {
                prompt.added.push((id, blocks));
            }
        }
        Ok(after)
    }

    fn interrupt(&mut self, turn: TurnId) {
        if self.conduct.works_on(turn) {
            self.interrupted = Some((turn, Instant::now() + self.launcher.config.interrupt_timeout));
            // Prompts that wait behind the program's own work are cancelled with it.
            self.request(json!({"subtype": "interrupt", "cancel_queued": true}), Pending::Interrupt);
        } else if let Some(prompt) = self.prompt.take_if(|prompt| prompt.turn == turn) {
            // Not handed over yet: the program is still being started.
            self.conduct.prompt(prompt.turn, &[]);
            self.conduct.abandon(&Outcome::Interrupted);
        }
    }

    fn settings(&mut self, settings: Settings, done: Done) {
        match (&self.program, settings.model, settings.permission_mode) {
            (State::Starting(_), _, _) => {
                let busy = "the agent program is starting: try again in a moment";
                let _ = done.send(Err(DriverError::Refused(busy.to_owned())));
            }
            (State::Stopped(_), model, mode) => {
                if let Some(model) = model {
                    self.current.model = Some(model.clone());
                    self.conduct.model_is(model);
                }
                if let Some(mode) = mode {
                    self.current.mode = mode;
                    self.conduct.set_mode(mode);
                }
                let _ = done.send(Ok(()));
            }
            (State::Running(_), Some(model), mode) => {
                let request = json!({"subtype": "set_model", "model": model});
                self.request(request, Pending::Model { model, mode, done });
            }
            (State::Running(_), None, Some(mode)) => self.set_mode(mode, done),
            (State::Running(_), None, None) => {
                let _ = done.send(Ok(()));
            }
        }
    }

    fn set_mode(&mut self, mode: PermissionMode, done: Done) {
        let request = json!({"subtype": "set_permission_mode", "mode": mode.as_str()});
        self.request(request, Pending::Mode { mode, done });
    }

    fn line(&mut self, line: &[u8]) {
        let was_busy = self.conduct.is_busy();
        for to_do in self.conduct.line(line) {
            match to_do {
                ToDo::Write(line) => self.write(&line),
                ToDo::LookAtServers => self.request(json!({"subtype": "mcp_status"}), Pending::Servers),
                ToDo::Answered { request_id, answer } => {
                    if let Some(pending) = self.pending.remove(&request_id) {
                        self.answered(pending, answer);
                    }
                }
            }
        }
        if self.prompt.as_ref().is_some_and(|prompt| !self.conduct.is_waiting(prompt.turn)) {
            // The program works on it, or has ended it.
            self.prompt = None;
        }
        if !self.conduct.is_busy() {
            self.interrupted = None;
            if was_busy {
                self.launcher.vitals.well();
            }
        }
        if let Some(mode) = self.conduct.mode() {
            self.current.mode = mode;
        }
    }

    fn answered(&mut self, pending: Pending, answer: Result<Value, String>) {
        let refused = |error: String| DriverError::Refused(format!("Claude Code refuses: {error}"));
        match (pending, answer) {
            // What comes of it is seen in the stream.
            (Pending::Interrupt, Ok(_)) | (Pending::Servers, Err(_)) => {}
            (Pending::Interrupt, Err(error)) => tracing::warn!(error, "the interruption was refused"),
            (Pending::Servers, Ok(status)) => self.conduct.servers(&status),
            (Pending::Model { model, mode, done }, Ok(_)) => {
                self.current.model = Some(model.clone());
                self.conduct.model_is(model);
                match mode {
                    Some(mode) => self.set_mode(mode, done),
                    None => drop(done.send(Ok(()))),
                }
            }
            (Pending::Mode { mode, done }, Ok(_)) => {
                self.current.mode = mode;
                self.conduct.set_mode(mode);
                let _ = done.send(Ok(()));
            }
            (Pending::Model { done, .. } | Pending::Mode { done, .. }, Err(error)) => {
                let _ = done.send(Err(refused(error).cleaned(&self.conduct.scrub)));
            }
        }
    }

    fn request(&mut self, request: Value, pending: Pending) {
        self.requests += 1;
        let request_id = format!("agcluster-{}", self.requests);
        let line = control::request(&request_id, request);
        self.pending.insert(request_id, pending);
        self.write(&line);
    }

    /// A program that does not read on is of no use. Its end is heard of later, and dealt with then.
    fn write(&mut self, line: &Value) {
        if let State::Running(program) = &self.program
            && program.write_line(line.to_string().into_bytes()).is_err()
        {
            program.kill();
        }
    }

    /// Ends the program: by itself within a time, else by force.
    async fn stop(&mut self) {
        if let State::Running(program) = &mut self.program {
            if self.conduct.is_busy() {
                program.terminate();
            }
            program.close_input();
            let limit = Instant::now() + self.launcher.config.stop_timeout;
            let ended = timeout_at(limit, self.drain()).await;
            if ended.is_err() {
                if let State::Running(program) = &self.program {
                    program.kill();
                }
                if timeout(self.launcher.config.stop_timeout, self.drain()).await.is_err() {
                    tracing::warn!("the agent program would not die");
                }
            }
        }
        self.program = State::Stopped(None);
        self.launcher.vitals.ended();
        self.launcher.tree.end_orphans().await;
    }

    async fn drain(&mut self) {
        while let State::Running(program) = &mut self.program {
            match program.next().await {
                Some(FromProgram::Line(line)) => drop(self.conduct.line(&line)),
                Some(FromProgram::LineTooLong) => {}
                Some(FromProgram::Exited(exit)) => return self.conduct.exited(&exit, Ending::Died),
                None => return,
            }
        }
    }
}

#[async_trait]
impl Driver for Claude {
    async fn run(mut self: Box<Self>, mut orders: Orders) {
        loop {
            match self.next(&mut orders).await {
                Happening::Order(None) => break,
                Happening::Order(Some(order)) => self.order(order),
                Happening::Program(FromProgram::Line(line)) => self.line(&line),
                Happening::Program(FromProgram::Exited(exit)) => self.exited(&exit).await,
                Happening::Program(FromProgram::LineTooLong) => {
                    let message = "the agent program wrote a line that is too long to be true".to_owned();
                    self.conduct.abandon(&Outcome::Failed { reason: FailureReason::AgentError, message });
                    if let State::Running(program) = &self.program {
                        program.kill();
                    }
                }
                Happening::Restarted(restarted) => self.restarted(*restarted),
                Happening::StartDue => self.start_again(),
                Happening::Overdue => {
                    // The turn is interrupted all the same, by the end of the program.
                    if let State::Running(program) = &self.program {
                        program.kill();
                    }
                    let later = Instant::now() + self.launcher.config.interrupt_timeout;
                    self.interrupted = self.interrupted.map(|(turn, _)| (turn, later));
                }
            }
        }
        self.stop().await;
    }
}
