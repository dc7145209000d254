//! The scripted agent: plays what the prompt tells it to. For tests, demonstrations and load.
//!
//! A line of the prompt that begins with `@@` is a directive; all other lines are ignored. The directives are played in
//! order, and when they are used up the turn is `completed`. A prompt without directives is said back.
//!
//! | directive | what the agent does |
//! |---|---|
//! | `@@say TEXT` | text: a delta for each word, then the block |
//! | `@@think TEXT` | thinking, likewise |
//! | `@@stream N [every Xms] [of B bytes]` | `N` text deltas of `B` bytes (20), one each `X` ms (at once), and a block after each 64 KiB and at the end |
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
//! | `@@wait Xms` | silence |
//! | `@@hang` | silence until interrupted |
//! | `@@fail REASON MESSAGE` | ends the turn as failed, such as `@@fail model_api it said 500` |
//! | `@@limit WHICH` | ends the turn at a limit, such as `@@limit max_turns` |
//! | `@@exit CODE` | the agent program ends, and the turn with it; the next prompt starts it again |
//! | `@@vanish` | the driver breaks off, as no driver should |
//!
//! Numbers are whole. A line that begins with `@@` and is none of these fails the turn with `agent_error`.

mod player;
mod script;
#[cfg(test)]
mod tests;

use agcluster_protocol::{
    Configure, EventBody, FailureReason, Outcome, PermissionMode, PromptBlock, Settings, TurnEnd, TurnId,
};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use serde_json::Map;
use tokio::sync::mpsc;

use super::{Driver, DriverError, Order, Orders, Ready};
use crate::recorder::Recorder;
use player::{GivenAnswer, Player};
use script::Step;

const MODEL: &str = "scripted-model";

/// Makes the agent; it is ready at once.
pub(super) fn start(configure: &Configure, recorder: Recorder) -> Ready {
    let conversation = configure.resume.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let options = &configure.options;
    let driver = Scripted {
        recorder,
        ready: EventBody::AgentReady {
            conversation: conversation.clone(),
            model: Some(options.model.clone().unwrap_or_else(|| MODEL.to_owned())),
            permission_mode: Some(options.permission_mode.as_str().to_owned()),
            tools: options.allowed_tools.clone(),
            mcp_servers: Vec::new(),
        },
    };
    Ready {
        agent: concat!("scripted ", env!("CARGO_PKG_VERSION")).to_owned(),
        conversation: Some(conversation),
        driver: Box::new(driver),
    }
}

struct Scripted {
    recorder: Recorder,
    ready: EventBody,
}

/// How a script ended.
enum Played {
    Ended(Outcome),
    Exited(i32),
    Vanished,
}

#[async_trait]
impl Driver for Scripted {
    async fn run(self: Box<Self>, mut orders: Orders) {
        let mut playing: OptionFuture<BoxFuture<'_, Played>> = None.into();
        let mut turn = None;
        let (answers, _) = mpsc::channel(1);
        let mut answers: mpsc::Sender<GivenAnswer> = answers;
        loop {
            tokio::select! {
                biased;
                order = orders.next() => match order {
                    None => return,
                    Some(Order::Prompt { turn: new, prompt }) => {
                        let (given, taken) = mpsc::channel(1);
                        answers = given;
                        turn = Some(new);
                        playing = Some(self.play(new, prompt, taken).boxed()).into();
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
                        (Played::Exited(code), Some(turn)) => self.exit(turn, code),
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
    ) -> Played {
        self.recorder.record(Some(turn), self.ready.clone().into());
        let text: Vec<&str> = prompt
            .iter()
            .filter_map(|block| match block {
                PromptBlock::Text { text } => Some(text.as_str()),
                PromptBlock::Image { .. } => None,
            })
            .collect();
        let text = text.join("\n");
        let steps = match script::parse(&text) {
            Ok(steps) if steps.is_empty() => vec![Step::Say(text)],
            Ok(steps) => steps,
            Err(error) => {
                let message = error.to_string();
                return Played::Ended(Outcome::Failed { reason: FailureReason::AgentError, message });
            }
        };
        Player::new(&self.recorder, turn, answers).play(steps).await
    }

    fn end(&self, turn: TurnId, outcome: Outcome) {
        let duration_ms = self.recorder.age_ms(turn);
        let end = TurnEnd { duration_ms, model_calls: 1, ..TurnEnd::bare(outcome) };
        self.recorder.end(turn, end, Map::new());
    }

    fn exit(&self, turn: TurnId, code: i32) {
        let stderr = "as the script says".to_owned();
        let exited = EventBody::AgentExited { code: Some(code), signal: None, stderr };
        self.recorder.record(Some(turn), exited.into());
        let message = format!("the agent program ended with code {code}");
        self.end(turn, Outcome::Failed { reason: FailureReason::AgentExited, message });
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
