//! When a turn gets nowhere: finding out what it waits for, saying so, and doing what the policy says.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::event::StuckOn;
use agcluster_protocol::{EventBody, Liveness, TurnId};
use jiff::Timestamp;

use super::policy::limit;
use super::{Session, Sessions, StuckAction};
use crate::journal::{Entry, Patience};
use crate::provider::ContainerState;

/// How long an agent server may take to say what it does.
const ANSWER: Duration = Duration::from_secs(10);

/// When a turn is held to be stuck, unless the session's configuration says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchdogPolicy {
    /// How long a turn may be silent; for ever when absent.
    pub stuck_after: Option<Duration>,
    /// What is done to a stuck turn, besides saying so.
    pub action: StuckAction,
    /// How long a turn may take; any time when absent. One that takes longer is interrupted.
    pub max_turn: Option<Duration>,
    /// How often to look.
    pub interval: Duration,
}

impl Default for WatchdogPolicy {
    /// Said after five minutes of silence, with a look every five seconds.
    fn default() -> Self {
        Self {
            stuck_after: Some(Duration::from_secs(300)),
            action: StuckAction::Notify,
            max_turn: None,
            interval: Duration::from_secs(5),
        }
    }
}

/// What a silent turn waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Diagnosis {
    on: StuckOn,
    silent: Duration,
    detail: String,
}

/// What has been said of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    turn: TurnId,
    /// The activity that the silence began with.
    since: Timestamp,
}

impl Sessions {
    /// Looks at every running turn, once.
    pub async fn watch(&self, policy: &WatchdogPolicy) {
        let looks =
            self.list().into_iter().filter(|session| session.state.borrow().turn.is_some()).map(|session| {
                let policy = *policy;
                tokio::spawn(async move { session.watch(&policy).await })
            });
        futures::future::join_all(looks).await;
    }

    /// Watches until the application shuts down.
    pub async fn watch_forever(&self, policy: WatchdogPolicy) {
        let mut ticks = tokio::time::interval(policy.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutting_down() => return,
                _ = ticks.tick() => self.watch(&policy).await,
            }
        }
    }
}

impl Session {
    async fn watch(self: &Arc<Self>, policy: &WatchdogPolicy) {
        let Some(turn) = self.state.borrow().turn else { return };
        let now = Timestamp::now();
        let age = |since: Timestamp| now.duration_since(since).unsigned_abs();
        let begun = self.turns(|turns| turns.current.as_ref().map(|current| current.created_at));
        let too_long = limit(self.policy.max_turn, policy.max_turn);
        if begun.zip(too_long).is_some_and(|(begun, most)| age(begun) > most) {
            tracing::info!(session = %self.id, %turn, "a turn took longer than it may and is interrupted");
            self.act(turn, StuckAction::Interrupt).await;
            return;
        }
        let since = self.last_event();
        let Some(patience) = limit(self.policy.stuck_after, policy.stuck_after) else { return };
        let said = Said { turn, since };
        if age(since) < patience || self.turns(|turns| turns.said == Some(said)) {
            return;
        }
        let Some(diagnosis) = self.diagnose(age(since), patience).await else { return };
        self.turns(|turns| turns.said = Some(said));
        self.say(turn, &diagnosis).await;
        self.act(turn, self.policy.stuck_action.unwrap_or(policy.action)).await;
    }

    /// What the running turn waits for; nothing when that is a person, or when it does not wait.
    async fn diagnose(&self, silent: Duration, patience: Duration) -> Option<Diagnosis> {
        let client = self.client.borrow().clone();
        let liveness = match client {
            Some(client) => tokio::time::timeout(ANSWER, client.liveness()).await.ok().and_then(Result::ok),
            None => None,
        };
        match liveness {
            Some(liveness) => inside(&liveness, patience),
            None => Some(self.outside(silent).await),
        }
    }

    /// The agent server does not answer: it, or the platform.
    async fn outside(&self, silent: Duration) -> Diagnosis {
        let container = self.state.borrow().container.clone();
        let (on, detail) = match (container, self.provider()) {
            (Some(id), Ok(provider)) => match provider.inspect(&id).await {
                Ok(container) if container.state == ContainerState::Running => (
                    StuckOn::AgentServer,
                    "its container runs, but the agent server does not answer".to_owned(),
                ),
                Ok(container) => (StuckOn::Provider, format!("its container is {:?}", container.state)),
                Err(error) => (StuckOn::Provider, error.to_string()),
            },
            (_, Err(error)) => (StuckOn::Provider, error.to_string()),
            (None, Ok(_)) => (StuckOn::Provider, super::pump::GONE.to_owned()),
        };
        Diagnosis { on, silent, detail }
    }

    async fn say(&self, turn: TurnId, diagnosis: &Diagnosis) {
        let Diagnosis { on, silent, detail } = diagnosis;
        tracing::warn!(session = %self.id, %turn, ?on, detail, "a turn is stuck");
        let body = EventBody::TurnStuck { on: *on, silent_seconds: silent.as_secs(), detail: detail.clone() };
        let entry = Entry::own(self.state.borrow().generation, Some(turn), body);
        if let Err(error) = self.journal.append(&self.id, vec![entry], Vec::new(), Patience::Short).await {
            tracing::warn!(session = %self.id, %error, "a stuck turn could not be written down");
        }
    }

    async fn act(&self, turn: TurnId, action: StuckAction) {
        let (client, generation) = (self.client.borrow().clone(), self.state.borrow().generation);
        let Some(client) = client.filter(|_| self.state.borrow().turn == Some(turn)) else { return };
        let done = match action {
            StuckAction::Notify => return,
            StuckAction::Interrupt => client.interrupt(Some(turn)).await.map(drop),
            StuckAction::Restart => client.restart_program(generation).await.map(drop),
        };
        if let Err(error) = done {
            tracing::warn!(session = %self.id, %turn, ?action, %error, "a stuck turn could not be acted upon");
        }
    }
}

/// What a turn waits for, by what the agent server says.
fn inside(liveness: &Liveness, patience: Duration) -> Option<Diagnosis> {
    let turn = liveness.turn?;
    let silent = Duration::from_millis(turn.silent_ms);
    if silent < patience || !liveness.asked.is_empty() {
        return None;
    }
    let diagnosis =
        |on, silent_ms, detail| Some(Diagnosis { on, silent: Duration::from_millis(silent_ms), detail });
    if let Some(program) = liveness.program.as_ref().filter(|program| !program.running) {
        let why = program.problem.clone().unwrap_or_else(|| "it is being started".to_owned());
        return diagnosis(
            StuckOn::AgentProgram,
            turn.silent_ms,
            format!("the agent program does not run: {why}"),
        );
    }
    if let Some(tool) = liveness.tools.first() {
        let detail = format!("the tool {} has run for {} s", tool.name, tool.running_ms / 1000);
        return diagnosis(StuckOn::Tool, tool.running_ms, detail);
    }
    if let Some(model) = liveness.model.filter(|model| model.open_requests > 0) {
        let detail = format!("the model API has sent nothing for {} s", model.silent_ms / 1000);
        return diagnosis(StuckOn::Model, model.silent_ms, detail);
    }
    let silent_ms = liveness.program.as_ref().map_or(turn.silent_ms, |program| program.silent_ms);
    diagnosis(StuckOn::AgentProgram, silent_ms, "the agent program runs, but says nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use agcluster_protocol::{ModelLiveness, Phase, ProgramLiveness, ToolLiveness, TurnLiveness};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A turn that has been silent for two minutes, of a program that runs.
    fn silent() -> Liveness {
        Liveness {
            instance: "i".into(),
            phase: Phase::Ready,
            generation: Some(1),
            session: None,
            configured: None,
            turn: Some(TurnLiveness { id: TurnId::generate(), age_ms: 200_000, silent_ms: 120_000 }),
            program: Some(ProgramLiveness { running: true, silent_ms: 120_000, deaths: 0, problem: None }),
            model: None,
            tools: Vec::new(),
            asked: Vec::new(),
            events: agcluster_protocol::EventsLiveness::default(),
        }
    }

    fn on(liveness: &Liveness) -> Option<StuckOn> {
        inside(liveness, PATIENCE).map(|diagnosis| diagnosis.on)
    }

    #[test]
    fn a_turn_that_says_something_or_waits_for_a_person_is_not_stuck() {
        let mut talking = silent();
        talking.turn = talking.turn.map(|turn| TurnLiveness { silent_ms: 59_999, ..turn });
        assert_eq!(on(&talking), None);
        assert_eq!(on(&Liveness { asked: vec!["r".into()], ..silent() }), None);
        assert_eq!(on(&Liveness { turn: None, ..silent() }), None);
    }

    #[test]
    fn what_a_silent_turn_waits_for_is_named() {
        assert_eq!(on(&silent()), Some(StuckOn::AgentProgram));
        let model = Some(ModelLiveness { open_requests: 1, silent_ms: 110_000 });
        assert_eq!(on(&Liveness { model, ..silent() }), Some(StuckOn::Model));
        let tools = vec![ToolLiveness { call_id: "c".into(), name: "Bash".into(), running_ms: 119_000 }];
        let tool = Liveness { model, tools, ..silent() };
        assert_eq!(on(&tool), Some(StuckOn::Tool));
        assert!(
            inside(&tool, PATIENCE)
                .is_some_and(|diagnosis| diagnosis.detail.contains("Bash has run for 119 s"))
        );
        let program = Some(ProgramLiveness {
            running: false,
            silent_ms: 0,
            deaths: 5,
            problem: Some("it ended five times".into()),
        });
        let dead = inside(&Liveness { program, ..silent() }, PATIENCE);
        assert!(dead.is_some_and(|dead| dead.detail.contains("ended five times")));
    }
}
