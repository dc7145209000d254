//! The scripted agent: plays what the prompt tells it to. For tests, demonstrations and load.
//!
//! A line of the prompt that begins with `@@` is a directive; all other lines are ignored. The directives are played in
//! order, and when they are used up the turn is `completed`. A prompt without directives is said back.
//!
//! | directive | what the agent does |
//! |---|---|
//! | `@@say TEXT` | text: a delta for each word, then the block |
//! | `@@think TEXT` | thinking, likewise |
//! | `@@stream N [every Xms] [of B bytes]` | `N` text deltas of `B` bytes (20), one each `X` ms on average (at once), and a block after each 64 KiB and at the end |
//! | `@@tool NAME {json} [=> RESULT]` | a tool call with streamed input, and its result (`done`) |
//! | `@@permission NAME {json}` | the same after asking for leave; when denied, the tool's result is an error |
//! | `@@ask QUESTION \| A \| B …` | a question; waits for the answer and says it |
//! | `@@gate NAME` | waits for `POST /answer` (any decision) with the request id `NAME` |
//! | `@@todo TEXT; TEXT …` | a list of things to do, the first of them in progress |
//! | `@@plan TEXT` | a plan |
//! | `@@subagent NAME TEXT` | a sub-agent that says something |
//! | `@@background TEXT` | when the turn has ended, a turn of the agent's own that says something |
//! | `@@retry STATUS` | a failed model call that is tried again |
//! | `@@vendor {json}` | a message of which the vocabulary knows nothing |
//! | `@@recall` | says all earlier prompts of the conversation, as a JSON list of texts |
//! | `@@clear` | begins a new conversation, in which no earlier prompt is known |
//! | `@@listen` | silence until a prompt has been added to the turn; the second one until a second has, and so on |
//! | `@@wait Xms` | silence |
//! | `@@hang` | silence until interrupted |
//! | `@@stall [program\|model\|tool]` | the same: of the agent program, with a model call under way, or with a tool call under way |
//! | `@@fail REASON MESSAGE` | ends the turn as failed, such as `@@fail model_api it said 500` |
//! | `@@limit WHICH` | ends the turn at a limit, such as `@@limit max_turns` |
//! | `@@exit CODE` | the agent program ends, and the turn with it, and is started again |
//! | `@@die` | the same, by signal 9 |
//! | `@@vanish` | the driver breaks off, as no driver should |
//!
//! The directives of a prompt that is added to a turn are played next, when the one that is being played is done. Every prompt
//! is told as a transcript; with that, another agent knows of it. A program that ends keeps the conversation.
//!
//! Numbers are whole. A line that begins with `@@` and is none of these fails the turn with `agent_error`.

mod conversation;
mod player;
mod script;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agcluster_protocol::event::NoticeLevel;
use agcluster_protocol::{
    AgentOptions, Configure, EventBody, FailureReason, Outcome, PermissionMode, PromptBlock, PromptId,
    Settings, TurnEnd, TurnId,
};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use serde_json::Map;
use tokio::sync::mpsc;

use super::{Driver, DriverError, Order, Orders, Ready, Surroundings};
use crate::ServerConfig;
use crate::recorder::Recorder;
use crate::vitals::{ModelClock, Vitals};
use conversation::Conversation;
use player::{GivenAnswer, Player};
use script::Step;

const MODEL: &str = "scripted-model";
/// Prompts that may wait to be taken up by a turn.
const ADDED: usize = 64;

/// Makes the agent; it is ready at once.
pub(super) fn start(
    config: &Arc<ServerConfig>,
    configure: Configure,
    recorder: Recorder,
) -> Result<Ready, DriverError> {
    let Configure { resume, transcript, options, .. } = configure;
    let (conversation, known) = match resume {
        Some(id) => Conversation::resume(id, &transcript)?,
        None => (Conversation::new(), true),
    };
    if !known && !transcript.is_empty() {
        notice(&recorder, "the conversation could not be taken up again: it begins anew");
    }
    let id = conversation.id().to_owned();
    let model = ModelClock::new();
    let vitals = Vitals::new(Some(model.clone()));
    vitals.started();
    let variables = options.env.keys().cloned().collect();
    let config = config.clone();
    let driver = Scripted {
        config,
        recorder,
        options,
        conversation: conversation.into(),
        vitals: vitals.clone(),
        model,
    };
    Ok(Ready {
        agent: concat!("scripted ", env!("CARGO_PKG_VERSION")).to_owned(),
        conversation: Some(id),
        driver: Box::new(driver),
        vitals,
        surroundings: Surroundings { home: None, variables },
    })
}

fn notice(recorder: &Recorder, message: &str) {
    let (level, message) = (NoticeLevel::Warning, message.to_owned());
    recorder.record(None, EventBody::Notice { level, message }.into());
}

struct Scripted {
    config: Arc<ServerConfig>,
    recorder: Recorder,
    options: AgentOptions,
    conversation: Mutex<Conversation>,
    vitals: Arc<Vitals>,
    model: Arc<ModelClock>,
}

/// How a script ended.
enum Played {
    Ended(Outcome),
    Exited(Exit),
    Vanished,
}

/// How the program ended.
#[derive(Debug, Clone, Copy)]
enum Exit {
    Code(i32),
    Signal(i32),
}

#[async_trait]
impl Driver for Scripted {
    async fn run(self: Box<Self>, mut orders: Orders) {
        let mut playing: OptionFuture<BoxFuture<'_, Played>> = None.into();
        let mut turn = None;
        let (answers, _) = mpsc::channel(1);
        let mut answers: mpsc::Sender<GivenAnswer> = answers;
        let (added, _) = mpsc::channel(1);
        let mut added: mpsc::Sender<Vec<Step>> = added;
        loop {
            tokio::select! {
                biased;
                order = orders.next() => match order {
                    None => return,
                    Some(Order::Prompt { turn: new, prompt }) => {
                        let (given, taken) = mpsc::channel(1);
                        answers = given;
                        let (add, to_add) = mpsc::channel(ADDED);
                        added = add;
                        turn = Some(new);
                        self.vitals.started();
                        playing = Some(self.play(new, prompt, taken, to_add).boxed()).into();
                    }
                    Some(Order::Steer { turn, id, prompt, done }) => {
                        let _ = done.send(self.steer(turn, id, prompt, &added));
                    }
                    Some(Order::Restart { done }) => {
                        playing = None.into();
                        turn = None;
                        self.restart();
                        let _ = done.send(Ok(()));
                    }
                    // A script that has a background goes on after its turn, in turns of the agent's own.
                    Some(Order::Interrupt { turn: interrupted })
                        if turn.is_some() && self.recorder.is_open(interrupted) =>
                    {
                        playing = None.into();
                        turn = None;
                        self.end(interrupted, Outcome::Interrupted);
                    }
                    // The turn has ended by itself in the meantime.
                    Some(Order::Interrupt { .. }) => {}
                    Some(Order::Answer { answer, done }) => {
                        // A script asks one thing at a time, so there is room for the answer or nobody wants it.
                        if let Err(refused) = answers.try_send((answer, done)) {
                            let (_, done) = refused.into_inner();
                            let _ = done.send(Err(DriverError::UnknownRequest));
                        }
                    }
                    Some(Order::Settings { settings, done }) => {
                        self.apply(settings);
                        let _ = done.send(Ok(()));
                    }
                },
                Some(played) = &mut playing => {
                    playing = None.into();
                    match (played, turn.take()) {
                        (Played::Vanished, _) | (_, None) => return,
                        (Played::Ended(outcome), Some(turn)) => self.end(turn, outcome),
                        (Played::Exited(exit), Some(turn)) => self.exit(turn, exit),
                    }
                }
            }
        }
    }
}

impl Scripted {
    async fn play(
        &self,
        turn: TurnId,
        prompt: Vec<PromptBlock>,
        answers: mpsc::Receiver<GivenAnswer>,
        added: mpsc::Receiver<Vec<Step>>,
    ) -> Played {
        self.recorder.record(Some(turn), self.ready().into());
        let text = text_of(&prompt);
        self.conversation().prompted(&self.recorder, turn, &text);
        match steps_of(text) {
            Ok(steps) => Player::new(self, turn, answers, added).play(steps).await,
            Err(message) => Played::Ended(Outcome::Failed { reason: FailureReason::AgentError, message }),
        }
    }

    fn ready(&self) -> EventBody {
        EventBody::AgentReady {
            conversation: self.conversation().id().to_owned(),
            model: Some(self.options.model.clone().unwrap_or_else(|| MODEL.to_owned())),
            permission_mode: Some(self.options.permission_mode.as_str().to_owned()),
            tools: self.options.allowed_tools.clone(),
            mcp_servers: Vec::new(),
        }
    }

    /// Adds a prompt to the turn that is being played.
    fn steer(
        &self,
        turn: TurnId,
        id: PromptId,
        prompt: Vec<PromptBlock>,
        added: &mpsc::Sender<Vec<Step>>,
    ) -> Result<u64, DriverError> {
        let text = text_of(&prompt);
        let steps = steps_of(text.clone()).map_err(DriverError::Invalid)?;
        let room = added.try_reserve();
        if let Err(mpsc::error::TrySendError::Full(())) = room {
            let full = "too many prompts wait to be taken up: try again later";
            return Err(DriverError::Refused(full.to_owned()));
        }
        let (after, fresh) = self.recorder.add(turn, id, prompt)?;
        if fresh && let Ok(room) = room {
            self.conversation().prompted(&self.recorder, turn, &text);
            room.send(steps);
        }
        Ok(after)
    }

    fn end(&self, turn: TurnId, outcome: Outcome) {
        if outcome == Outcome::Completed {
            self.vitals.well();
        }
        let duration_ms = self.recorder.age_ms(turn);
        let end = TurnEnd { duration_ms, model_calls: 1, ..TurnEnd::bare(outcome) };
        self.recorder.end(turn, end, Map::new());
    }

    /// The program has ended by itself. It is started again, unless it has ended too often.
    fn exit(&self, turn: TurnId, exit: Exit) {
        self.exited(Some(turn), exit);
        let message = match exit {
            Exit::Code(code) => format!("the agent program ended with code {code}"),
            Exit::Signal(signal) => format!("the agent program was ended by signal {signal}"),
        };
        self.end(turn, Outcome::Failed { reason: FailureReason::AgentExited, message });
        let deaths = self.vitals.died();
        match self.config.restart_after(deaths) {
            // It takes no time to start.
            Some(_) => self.vitals.started(),
            None => {
                let problem = super::too_many_deaths(deaths, "as the scripts say");
                notice(&self.recorder, &problem);
                self.vitals.given_up(problem);
            }
        }
    }

    /// Ends the program with what it works on, and starts it again.
    fn restart(&self) {
        self.exited(self.recorder.open_turn(), Exit::Signal(9));
        while let Some(turn) = self.recorder.open_turn() {
            let message = super::RESTARTED.to_owned();
            self.end(turn, Outcome::Failed { reason: FailureReason::AgentRestarted, message });
        }
        self.vitals.well();
        self.vitals.started();
    }

    fn exited(&self, turn: Option<TurnId>, exit: Exit) {
        let stderr = "as the script says".to_owned();
        let (code, signal) = match exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        self.recorder.record(turn, EventBody::AgentExited { code, signal, stderr }.into());
    }

    fn conversation(&self) -> MutexGuard<'_, Conversation> {
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, settings: Settings) {
        let turn = self.recorder.open_turn();
        let model: Option<String> = settings.model;
        let mode: Option<PermissionMode> = settings.permission_mode;
        if let Some(model) = model {
            self.recorder.record(turn, EventBody::ModelChanged { model }.into());
        }
        if let Some(mode) = mode {
            self.recorder.record(turn, EventBody::ModeChanged { mode }.into());
        }
    }
}

fn text_of(prompt: &[PromptBlock]) -> String {
    let texts = prompt.iter().filter_map(|block| match block {
        PromptBlock::Text { text } => Some(text.as_str()),
        PromptBlock::Image { .. } | PromptBlock::Document { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// What a prompt's text has the agent play.
fn steps_of(text: String) -> Result<Vec<Step>, String> {
    match script::parse(&text) {
        Ok(steps) if steps.is_empty() => Ok(vec![Step::Say(text)]),
        Ok(steps) => Ok(steps),
        Err(error) => Err(error.to_string()),
    }
}
