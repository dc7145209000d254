mod lasting;

use std::collections::BTreeMap;
use std::sync::Arc;

use agcluster_protocol::{Answer, Decision, DriverKind, Event, Scope, TranscriptFile};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::log::{EventLog, Follower};
use crate::{ReplayLimits, TokenDigest};

/// A scripted agent at work.
struct Agent {
    recorder: Recorder,
    log: Arc<EventLog>,
    orders: mpsc::Sender<Order>,
    ended: tokio::task::JoinHandle<()>,
    vitals: Arc<Vitals>,
}

impl Agent {
    fn start() -> Self {
        Self::resume(None, Vec::new())
    }

    fn resume(resume: Option<String>, transcript: Vec<TranscriptFile>) -> Self {
        Self::with(ReplayLimits::default(), resume, transcript)
    }

    fn with(limits: ReplayLimits, resume: Option<String>, transcript: Vec<TranscriptFile>) -> Self {
        let log = Arc::new(EventLog::new(limits));
        let recorder = Recorder::new(log.clone(), 1);
        let configure = Configure {
            session: "s".to_owned(),
            generation: 1,
            driver: DriverKind::Scripted,
            options: Default::default(),
            model_access: None,
            resume,
            transcript,
            files: std::collections::BTreeMap::new(),
            acknowledges: false,
        };
        let config = Arc::new(ServerConfig::new(TokenDigest::of("t")));
        let ready = start(&config, configure, recorder.clone()).unwrap();
        let (orders, taken) = mpsc::channel(16);
        let ended = tokio::spawn(ready.driver.run(Orders::new(taken, CancellationToken::new())));
        Self { recorder, log, orders, ended, vitals: ready.vitals }
    }

    async fn prompt(&self, text: &str) -> (TurnId, Follower) {
        let turn = TurnId::generate();
        let begun = self.recorder.begin(turn, Vec::new()).unwrap();
        let prompt = vec![PromptBlock::text(text)];
        self.orders.send(Order::Prompt { turn, prompt }).await.unwrap();
        let stop = CancellationToken::new();
        (turn, Follower::new(self.log.clone(), begun.after, Some(begun.mark), stop).unwrap())
    }

    /// The events of a turn that needs no help.
    async fn turn(&self, text: &str) -> Vec<EventBody> {
        let (_, mut follower) = self.prompt(text).await;
        let mut bodies = Vec::new();
        while let Some(events) = next(&mut follower).await {
            bodies.extend(events.into_iter().map(|event| event.body));
        }
        bodies
    }

    async fn answer(&self, request_id: &str, decision: Decision) {
        let (done, outcome) = oneshot::channel();
        let answer = Answer { request_id: request_id.to_owned(), decision };
        self.orders.send(Order::Answer { answer, done }).await.unwrap();
        outcome.await.unwrap().unwrap();
    }
}

async fn next(follower: &mut Follower) -> Option<Vec<Event>> {
    let frames = follower.next().await?;
    let text = String::from_utf8(frames.to_vec()).unwrap();
    let data = text.split_terminator("\n\n").map(|frame| frame.split_once("data: ").unwrap().1.to_owned());
    Some(data.map(|data| serde_json::from_str(&data).unwrap()).collect())
}

/// Reads on until an event that `wanted` takes something from.
async fn until<T>(follower: &mut Follower, wanted: impl Fn(EventBody) -> Option<T>) -> T {
    loop {
        let events = next(follower).await.expect("the turn ended before");
        if let Some(found) = events.into_iter().find_map(|event| wanted(event.body)) {
            return found;
        }
    }
}

fn texts(bodies: &[EventBody]) -> Vec<&str> {
    bodies
        .iter()
        .filter_map(|body| if let EventBody::Text { text, .. } = body { Some(text.as_str()) } else { None })
        .collect()
}

fn outcome(bodies: &[EventBody]) -> &Outcome {
    let Some(EventBody::TurnEnded(end)) = bodies.last() else { panic!("no end: {bodies:?}") };
    &end.outcome
}

#[tokio::test]
async fn without_directives_it_says_the_prompt_back() {
    let bodies = Agent::start().turn("hello you there").await;
    assert_eq!(texts(&bodies), ["hello you there"]);
    let deltas: String = bodies
        .iter()
        .filter_map(
            |body| if let EventBody::TextDelta { text, .. } = body { Some(text.as_str()) } else { None },
        )
        .collect();
    assert_eq!(deltas, "hello you there");
    assert_eq!(*outcome(&bodies), Outcome::Completed);
}

#[tokio::test]
async fn every_directive_that_needs_no_answer_is_played() {
    let script = "@@think hm\n@@tool Bash {\"command\":\"ls\"} => a\n@@todo x; y\n@@plan do it\n@@subagent web hi\n\
                  @@retry 529\n@@vendor {\"a\":1}\n@@wait 1ms\n@@say bye";
    let bodies = Agent::start().turn(script).await;
    let has = |wanted: &dyn Fn(&EventBody) -> bool| assert!(bodies.iter().any(wanted));
    has(&|body| matches!(body, EventBody::Thinking { .. }));
    has(&|body| matches!(body, EventBody::ToolResult { content, .. } if content == "a"));
    has(&|body| matches!(body, EventBody::Todo { items } if items.len() == 2));
    has(&|body| matches!(body, EventBody::Plan { plan, .. } if plan == "do it"));
    has(&|body| matches!(body, EventBody::TaskEnded(_)));
    has(&|body| matches!(body, EventBody::Retry { status: Some(529), .. }));
    has(&|body| matches!(body, EventBody::Vendor { .. }));
    assert_eq!(texts(&bodies), ["hi", "bye"]);
}

#[tokio::test]
async fn a_stream_has_as_many_deltas_as_asked_for() {
    let agent = Agent::start();
    for (script, bytes) in
        [("@@stream 3000", 20), ("@@stream 2000 of 100", 100), ("@@stream 3 every 1ms of 5", 5)]
    {
        let count: usize = script.split(' ').nth(1).unwrap().parse().unwrap();
        let bodies = agent.turn(script).await;
        let deltas = bodies.iter().filter_map(|body| match body {
            EventBody::TextDelta { text, .. } => Some(text.len()),
            _ => None,
        });
        let deltas: Vec<usize> = deltas.collect();
        assert_eq!(deltas, vec![bytes; count]);
        assert_eq!(texts(&bodies).concat().len(), count * bytes);
    }
}

#[tokio::test]
async fn a_turn_ends_as_the_script_says() {
    let agent = Agent::start();
    let failed = |reason, message: &str| Outcome::Failed { reason, message: message.to_owned() };
    let ends = [
        ("@@fail model_api it said 500", failed(FailureReason::ModelApi, "it said 500")),
        ("@@exit 3", failed(FailureReason::AgentExited, "the agent program ended with code 3")),
        ("@@limit max_turns", Outcome::Limit { which: agcluster_protocol::Limit::MaxTurns }),
        ("@@say still here", Outcome::Completed),
    ];
    for (script, end) in ends {
        assert_eq!(*outcome(&agent.turn(script).await), end, "{script}");
    }
    assert!(matches!(
        outcome(&agent.turn("@@dance").await),
        Outcome::Failed { reason: FailureReason::AgentError, .. }
    ));
}

#[tokio::test]
async fn permissions_questions_and_gates_wait_for_an_answer() {
    let agent = Agent::start();
    let (_, mut follower) = agent
        .prompt("@@permission Bash {\"command\":\"x\"}\n@@ask Which? | A | B\n@@gate open\n@@say done")
        .await;
    let request = until(&mut follower, |body| match body {
        EventBody::PermissionRequested(request) => Some(request),
        _ => None,
    });
    let request = request.await;
    agent.answer(&request.request_id, Decision::Allow { input: None, scope: Scope::Once }).await;
    let asked = |body| match body {
        EventBody::QuestionAsked { request_id, .. } => Some(request_id),
        _ => None,
    };
    let question = until(&mut follower, asked).await;
    let answers = BTreeMap::from([("Which?".to_owned(), "B".to_owned())]);
    agent.answer(&question, Decision::Answers { answers }).await;
    assert_eq!(until(&mut follower, asked).await, "open");
    agent.answer("open", Decision::Deny { message: String::new(), interrupt: false }).await;
    let end = until(&mut follower, |body| match body {
        EventBody::TurnEnded(end) => Some(end),
        _ => None,
    });
    assert_eq!(end.await.outcome, Outcome::Completed);
}

#[tokio::test]
async fn a_hanging_turn_is_interrupted_and_the_next_is_played() {
    let agent = Agent::start();
    let (turn, mut follower) = agent.prompt("@@say before\n@@hang\n@@say after").await;
    until(&mut follower, |body| matches!(body, EventBody::Text { .. }).then_some(())).await;
    agent.orders.send(Order::Interrupt { turn }).await.unwrap();
    let mut last = None;
    while let Some(events) = next(&mut follower).await {
        last = events.into_iter().next_back();
    }
    assert!(matches!(last.unwrap().body, EventBody::TurnEnded(end) if end.outcome == Outcome::Interrupted));
    // An interruption that comes too late is for nobody.
    agent.orders.send(Order::Interrupt { turn }).await.unwrap();
    assert_eq!(texts(&agent.turn("@@say next").await), ["next"]);
}

#[tokio::test]
async fn work_in_the_background_is_a_turn_of_the_agents_own() {
    let agent = Agent::start();
    let bodies = agent.turn("@@background later\n@@say now").await;
    assert_eq!(texts(&bodies), ["now"]);
    let newest = || agent.log.events().pop().unwrap();
    while !newest().is_terminal() || newest().seq == bodies.len() as u64 {
        tokio::task::yield_now().await;
    }
    let own: Vec<Event> = agent.log.events().split_off(bodies.len());
    assert!(matches!(
        own[0].body,
        EventBody::TurnStarted { origin: agcluster_protocol::event::TurnOrigin::Agent, .. }
    ));
    assert!(own.iter().all(|event| event.turn == own[0].turn));
}

#[tokio::test]
async fn a_driver_may_vanish() {
    let agent = Agent::start();
    let (_, _follower) = agent.prompt("@@vanish").await;
    agent.ended.await.unwrap();
}
