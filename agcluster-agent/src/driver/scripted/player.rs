//! Plays the steps of one turn.

use std::collections::VecDeque;
use std::sync::Arc;

use agcluster_protocol::event::{
    PermissionKind, PermissionRequest, Question, QuestionOption, Resolution, Task, TaskEnd, TodoItem,
    TodoStatus,
};
use agcluster_protocol::{Answer, Decision, EventBody, Outcome, TurnEnd, TurnId, Usage};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::script::{Stall, Step};
use super::{DriverError, Exit, MODEL, Played, Scripted};
use crate::recorder::{Entry, Recorder};
use crate::vitals::Pulse;

/// An answer, and who wants to hear that it was taken.
pub(super) type GivenAnswer = (Answer, oneshot::Sender<Result<(), DriverError>>);

/// The tool with which a plan is offered.
const OFFER_PLAN: &str = "ExitPlanMode";
/// Text of `@@stream` that is put into one finished block.
const BLOCK_BYTES: usize = 64 * 1024;
/// Events that are recorded in one go, before orders are looked at again.
const BURST: u64 = 256;

pub(super) struct Player<'a> {
    agent: &'a Scripted,
    recorder: &'a Recorder,
    pulse: Arc<Pulse>,
    turn: TurnId,
    answers: mpsc::Receiver<GivenAnswer>,
    added: mpsc::Receiver<Vec<Step>>,
    /// Prompts that were added and taken up, and those that were waited for.
    taken_up: u32,
    listened: u32,
    /// What is still to be played, in order.
    steps: VecDeque<Step>,
    /// Ids that have been given out.
    ids: u32,
    parent: Option<String>,
    background: Vec<String>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        agent: &'a Scripted,
        turn: TurnId,
        answers: mpsc::Receiver<GivenAnswer>,
        added: mpsc::Receiver<Vec<Step>>,
    ) -> Self {
        Self {
            agent,
            recorder: &agent.recorder,
            pulse: agent.vitals.pulse(),
            turn,
            answers,
            added,
            taken_up: 0,
            listened: 0,
            steps: VecDeque::new(),
            ids: 0,
            parent: None,
            background: Vec::new(),
        }
    }

    pub(super) async fn play(mut self, steps: Vec<Step>) -> Played {
        self.steps = steps.into();
        loop {
            let mut added = Vec::new();
            while let Ok(steps) = self.added.try_recv() {
                self.taken_up += 1;
                added.extend(steps);
            }
            self.next(added);
            let Some(step) = self.steps.pop_front() else { break };
            self.recorder.room().await;
            if let Some(played) = self.step(step).await {
                return played;
            }
        }
        if self.background.is_empty() {
            return Played::Ended(Outcome::Completed);
        }
        // The turn ends here, since what follows is not part of it.
        let end =
            TurnEnd { duration_ms: self.recorder.age_ms(self.turn), ..TurnEnd::bare(Outcome::Completed) };
        self.recorder.end(self.turn, end.clone(), Map::new());
        for text in std::mem::take(&mut self.background) {
            self.turn = self.recorder.begin_own();
            self.say(&text).await;
            self.recorder.end(self.turn, end.clone(), Map::new());
        }
        Played::Ended(Outcome::Completed)
    }

    /// Has steps played before all others.
    fn next(&mut self, steps: Vec<Step>) {
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    async fn step(&mut self, step: Step) -> Option<Played> {
        match step {
            Step::Say(text) => self.say(&text).await,
            Step::Think(text) => self.think(&text),
            Step::Stream { count, every, bytes } => {
                let mut ticks = (!every.is_zero()).then(|| {
                    let mut ticks = tokio::time::interval(every);
                    // What was late does not make everything after it late.
                    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                    ticks
                });
                self.stream(count, bytes, &mut ticks).await;
            }
            Step::Tool { name, input, result } => {
                let call_id = self.call(&name, &input);
                self.result(&call_id, false, &result);
            }
            Step::Permission { name, input } => return self.permission(name, input).await,
            Step::Ask { question, options } => self.ask(question, options).await,
            Step::Gate(name) => {
                let questions = vec![question(&name, &[])];
                let (_, resolution) = self.wait_for_answer(name.clone(), questions).await?;
                self.resolved(name, resolution);
            }
            Step::Todo(items) => self.todo(items),
            Step::Plan(plan) => {
                let call_id = self.call(OFFER_PLAN, &json!({ "plan": plan }));
                self.record(EventBody::Plan { call_id, plan });
            }
            Step::SubAgent { name, text } => self.subagent(name, &text).await,
            Step::Background(text) => self.background.push(text),
            Step::Retry(status) => self.record(EventBody::Retry {
                attempt: 1,
                max_attempts: 3,
                delay_ms: 0,
                status: Some(status),
                reason: None,
            }),
            Step::Vendor(payload) => {
                self.record(EventBody::Vendor { source: "scripted".to_owned(), payload });
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Recall => {
                let earlier = self.agent.conversation().recall();
                self.say(&earlier).await;
            }
            Step::Clear => self.agent.conversation().clear(self.recorder, self.turn),
            Step::Listen => {
                self.listened += 1;
                if self.taken_up < self.listened
                    && let Some(added) = self.added.recv().await
                {
                    self.taken_up += 1;
                    self.next(added);
                }
            }
            Step::Hang => std::future::pending().await,
            Step::Stall(what) => self.stall(what).await,
            Step::Fail { reason, message } => {
                return Some(Played::Ended(Outcome::Failed { reason, message }));
            }
            Step::Limit(which) => return Some(Played::Ended(Outcome::Limit { which })),
            Step::Exit(code) => return Some(Played::Exited(Exit::Code(code))),
            Step::Die => return Some(Played::Exited(Exit::Signal(9))),
            Step::Vanish => return Some(Played::Vanished),
        }
        None
    }

    /// Says nothing any more, and looks as if something were under way.
    async fn stall(&mut self, what: Stall) {
        match what {
            Stall::Program => std::future::pending().await,
            Stall::Model => {
                let _call = self.agent.model.open();
                std::future::pending().await
            }
            Stall::Tool => {
                self.call("Stall", &json!({}));
                std::future::pending().await
            }
        }
    }

    async fn say(&mut self, text: &str) {
        let message_id = self.begin_message();
        for word in text.split_inclusive(' ') {
            self.record(EventBody::TextDelta { block: 0, text: word.to_owned() });
        }
        self.record(EventBody::Text { message_id: Some(message_id), text: text.to_owned() });
        self.end_message("end_turn", text);
        tokio::task::yield_now().await;
    }

    fn think(&mut self, text: &str) {
        let message_id = self.begin_message();
        for word in text.split_inclusive(' ') {
            self.record(EventBody::ThinkingDelta { block: 0, text: word.to_owned() });
        }
        let message_id = Some(message_id);
        self.record(EventBody::Thinking { message_id, text: text.to_owned(), signature: None });
        self.end_message("end_turn", text);
    }

    async fn stream(&mut self, count: u64, bytes: usize, ticks: &mut Option<tokio::time::Interval>) {
        let message_id = self.begin_message();
        let piece: String = "scripted ".chars().cycle().take(bytes).collect();
        // A block is what its pieces were; put together at its end, a thousand streams hold little meanwhile.
        let mut pieces = 0;
        for nth in 1..=count {
            self.recorder.room().await;
            match ticks {
                Some(ticks) => {
                    ticks.tick().await;
                }
                None if nth % BURST == 0 => tokio::task::yield_now().await,
                None => {}
            }
            self.record(EventBody::TextDelta { block: 0, text: piece.clone() });
            pieces += 1;
            if pieces * piece.len() >= BLOCK_BYTES || nth == count {
                let text = piece.repeat(std::mem::take(&mut pieces));
                self.record(EventBody::Text { message_id: Some(message_id.clone()), text });
            }
        }
        self.end_message("end_turn", "");
    }

    /// A tool call with its input in two pieces.
    fn call(&mut self, name: &str, input: &Value) -> String {
        let message_id = self.begin_message();
        let call_id = self.id("call");
        self.record(EventBody::ToolCallStarted { block: 0, call_id: call_id.clone(), name: name.to_owned() });
        let text = input.to_string();
        let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        for json in [&text[..half], &text[half..]] {
            let (call_id, json) = (call_id.clone(), json.to_owned());
            self.record(EventBody::ToolInputDelta { block: 0, call_id, json });
        }
        self.record(EventBody::ToolCall {
            message_id: Some(message_id),
            call_id: call_id.clone(),
            name: name.to_owned(),
            input: input.clone(),
        });
        self.end_message("tool_use", "");
        call_id
    }

    fn result(&self, call_id: &str, is_error: bool, content: &str) {
        let call_id = call_id.to_owned();
        self.record(EventBody::ToolResult { call_id, is_error, content: content.into(), structured: None });
    }

    async fn permission(&mut self, name: String, input: Value) -> Option<Played> {
        let call_id = self.call(&name, &input);
        let request_id = self.id("request");
        self.record(EventBody::PermissionRequested(PermissionRequest {
            request_id: request_id.clone(),
            call_id: Some(call_id.clone()),
            kind: if name == OFFER_PLAN { PermissionKind::Plan } else { PermissionKind::Tool },
            tool: name,
            display_name: None,
            input,
            reason: Some("the script says so".to_owned()),
            blocked_path: None,
            suggestions: Vec::new(),
        }));
        let (decision, resolution) = self.answer_to(&request_id).await?;
        self.resolved(request_id, resolution);
        match decision {
            Decision::Deny { message, interrupt } => {
                self.result(&call_id, true, &message);
                interrupt.then_some(Played::Ended(Outcome::Interrupted))
            }
            Decision::Allow { input, .. } => {
                let result = input.map_or("done".to_owned(), |input| format!("done with {input}"));
                self.result(&call_id, false, &result);
                None
            }
            Decision::Answers { .. } => None,
        }
    }

    async fn ask(&mut self, text: String, options: Vec<String>) {
        let request_id = self.id("request");
        let questions = vec![question(&text, &options)];
        let Some((decision, resolution)) = self.wait_for_answer(request_id.clone(), questions).await else {
            return;
        };
        self.resolved(request_id, resolution);
        let answer = match decision {
            Decision::Answers { answers } => answers.into_values().collect::<Vec<_>>().join(", "),
            Decision::Allow { .. } => "allowed".to_owned(),
            Decision::Deny { message, .. } => message,
        };
        self.say(&answer).await;
    }

    async fn wait_for_answer(
        &mut self,
        request_id: String,
        questions: Vec<Question>,
    ) -> Option<(Decision, Resolution)> {
        let asked = EventBody::QuestionAsked { request_id: request_id.clone(), call_id: None, questions };
        self.record(asked);
        self.answer_to(&request_id).await
    }

    /// Waits for the answer to a request; nothing when there can be none any more.
    async fn answer_to(&mut self, request_id: &str) -> Option<(Decision, Resolution)> {
        loop {
            let (answer, done) = self.answers.recv().await?;
            if answer.request_id != request_id {
                let _ = done.send(Err(DriverError::UnknownRequest));
                continue;
            }
            let _ = done.send(Ok(()));
            let resolution = match answer.decision {
                Decision::Allow { .. } => Resolution::Allowed,
                Decision::Deny { .. } => Resolution::Denied,
                Decision::Answers { .. } => Resolution::Answered,
            };
            return Some((answer.decision, resolution));
        }
    }

    fn resolved(&self, request_id: String, resolution: Resolution) {
        self.record(EventBody::RequestResolved { request_id, resolution });
    }

    fn todo(&mut self, items: Vec<String>) {
        let items = items.into_iter().enumerate().map(|(nth, content)| TodoItem {
            content,
            status: if nth == 0 { TodoStatus::InProgress } else { TodoStatus::Pending },
            active_form: None,
        });
        self.record(EventBody::Todo { items: items.collect() });
    }

    async fn subagent(&mut self, name: String, text: &str) {
        let call_id = self.call("Agent", &json!({ "subagent_type": name, "prompt": text }));
        let task_id = self.id("task");
        self.record(EventBody::TaskStarted(Task {
            task_id: task_id.clone(),
            call_id: Some(call_id.clone()),
            kind: Some("local_agent".to_owned()),
            subagent: Some(name),
            description: None,
        }));
        self.parent = Some(call_id.clone());
        self.say(text).await;
        self.parent = None;
        self.record(EventBody::TaskEnded(TaskEnd {
            task_id,
            call_id: Some(call_id.clone()),
            status: "completed".to_owned(),
            summary: None,
            usage: None,
        }));
        self.result(&call_id, false, text);
    }

    fn begin_message(&mut self) -> String {
        let message_id = self.id("message");
        let model = Some(MODEL.to_owned());
        self.record(EventBody::MessageStarted {
            message_id: message_id.clone(),
            model,
            usage: Usage::default(),
        });
        message_id
    }

    fn end_message(&self, stop_reason: &str, text: &str) {
        let output_tokens = text.split_whitespace().count() as u64;
        let usage = Usage { output_tokens, ..Usage::default() };
        self.record(EventBody::MessageEnded { stop_reason: Some(stop_reason.to_owned()), usage });
    }

    fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}_{}_{}", self.turn.0.simple(), self.ids)
    }

    fn record(&self, body: EventBody) {
        self.pulse.beat();
        self.recorder.record(Some(self.turn), Entry { parent: self.parent.clone(), extra: Map::new(), body });
    }
}

fn question(text: &str, options: &[String]) -> Question {
    let option = |label: &String| QuestionOption { label: label.clone(), description: None };
    Question {
        question: text.to_owned(),
        header: None,
        options: options.iter().map(option).collect(),
        multi_select: false,
    }
}
