//! The one session of an agent server: turns in, orders to the driver, and a watch over the driver.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{
    Answer, FailureReason, Outcome, Problem, PromptBlock, Query, Settings, Steer, TurnId, codes,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::{Driver, DriverError, ORDERS, Order, Orders, Ready, Surroundings};
use crate::recorder::{Begun, NotBegun, Recorder};
use crate::vitals::Vitals;

/// The longest a driver may take to pass on an answer, an added prompt or a change of settings.
const PASS_ON_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Session {
    generation: u32,
    recorder: Recorder,
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
    watch: TaskTracker,
    vitals: Arc<Vitals>,
    surroundings: Surroundings,
}

impl Session {
    /// Lets a driver run, whose agent is ready.
    pub(crate) fn new(generation: u32, recorder: Recorder, ready: Ready) -> Self {
        let Ready { driver, vitals, surroundings, .. } = ready;
        let (orders, taken) = mpsc::channel(ORDERS);
        let stop = CancellationToken::new();
        let watch = TaskTracker::new();
        watch.spawn(watch_over(driver, Orders::new(taken, stop.clone()), recorder.clone()));
        watch.close();
        Self { generation, recorder, orders, stop, watch, vitals, surroundings }
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Begins the turn of a query and hands its prompt over.
    pub(crate) async fn query(&self, query: Query) -> Result<Begun, Problem> {
        let Query { turn, generation, prompt } = query;
        check_generation(self.generation, generation)?;
        check_prompt(&prompt)?;
        // Room for the order comes first: once the turn has begun, handing over cannot be broken off by a caller that
        // goes away.
        let Ok(permit) = self.orders.reserve().await else { return Err(gone()) };
        let begun = self.recorder.begin(turn, prompt.clone()).map_err(|refused| match refused {
            NotBegun::Busy => problem(codes::BUSY, "a turn is running: wait for its end, or interrupt it"),
            NotBegun::Closed => gone(),
        })?;
        if begun.fresh {
            permit.send(Order::Prompt { turn, prompt });
        }
        Ok(begun)
    }

    /// Adds a prompt to a turn that runs; gives the cursor before the event that tells it.
    pub(crate) async fn steer(&self, steer: Steer) -> Result<u64, Problem> {
        let Steer { id, turn, generation, prompt } = steer;
        check_generation(self.generation, generation)?;
        check_prompt(&prompt)?;
        if let Some(after) = self.recorder.added(id) {
            return Ok(after);
        }
        self.pass_on(PASS_ON_TIMEOUT, |done| Order::Steer { turn, id, prompt, done }).await
    }

    /// Has the agent program started again, and waits at most `limit` until it is ready.
    pub(crate) async fn restart(&self, generation: u32, limit: Duration) -> Result<(), Problem> {
        check_generation(self.generation, generation)?;
        self.pass_on(limit, |done| Order::Restart { done }).await
    }

    /// Asks for the end of a turn that runs: of the one that is meant, where one is.
    pub(crate) async fn interrupt(&self, meant: Option<TurnId>) -> Result<TurnId, Problem> {
        let Ok(permit) = self.orders.reserve().await else { return Err(gone()) };
        let turn = match meant {
            Some(turn) => Some(turn).filter(|turn| self.recorder.is_open(*turn)),
            None => self.recorder.open_turn(),
        };
        let turn = turn.ok_or_else(|| {
            problem(codes::IDLE, "no such turn is running, so there is nothing to interrupt")
        })?;
        permit.send(Order::Interrupt { turn });
        Ok(turn)
    }

    /// Passes on an answer.
    pub(crate) async fn answer(&self, answer: Answer) -> Result<(), Problem> {
        if !self.recorder.is_asked(&answer.request_id) {
            return Err(DriverError::UnknownRequest.into());
        }
        self.pass_on(PASS_ON_TIMEOUT, |done| Order::Answer { answer, done }).await
    }

    /// Passes on a change of settings.
    pub(crate) async fn settings(&self, settings: Settings) -> Result<(), Problem> {
        if settings == Settings::default() {
            return Ok(());
        }
        self.pass_on(PASS_ON_TIMEOUT, |done| Order::Settings { settings, done }).await
    }

    async fn pass_on<T>(
        &self,
        limit: Duration,
        order: impl FnOnce(oneshot::Sender<Result<T, DriverError>>) -> Order,
    ) -> Result<T, Problem> {
        let (done, outcome) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| gone())?;
        match tokio::time::timeout(limit, outcome).await {
            Ok(Ok(outcome)) => outcome.map_err(Problem::from),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(DriverError::Timeout("the agent program did not answer in time".to_owned()).into()),
        }
    }

    /// Ends the open turns, then the agent program. Returns when both are done.
    pub(crate) async fn stop(&self) {
        let message = "the session was stopped".to_owned();
        self.recorder.close(&Outcome::Failed { reason: FailureReason::SessionStopped, message });
        self.stop.cancel();
        self.watch.wait().await;
    }
}

/// Lets the driver run to its end and closes what it leaves open.
async fn watch_over(driver: Box<dyn Driver>, orders: Orders, recorder: Recorder) {
    let ended = tokio::spawn(driver.run(orders)).await;
    if let Err(error) = &ended {
        tracing::error!(%error, "the driver broke off");
    }
    let message = "the driver of the agent broke off: start the session anew".to_owned();
    recorder.close(&Outcome::Failed { reason: FailureReason::AgentError, message });
}

/// Refuses what is meant for another generation.
pub(crate) fn check_generation(is: u32, meant: u32) -> Result<(), Problem> {
    if is == meant {
        return Ok(());
    }
    Err(problem(codes::STALE_GENERATION, format!("this container is generation {is}, not {meant}")))
}

fn check_prompt(prompt: &[PromptBlock]) -> Result<(), Problem> {
    if prompt.is_empty() {
        return Err(problem(codes::INVALID_REQUEST, "a prompt has at least one block"));
    }
    Ok(())
}

fn gone() -> Problem {
    problem(codes::INTERNAL, "the driver of the agent is gone: start the session anew")
}

pub(crate) fn problem(code: &str, detail: impl Into<String>) -> Problem {
    Problem { code: code.to_owned(), detail: detail.into() }
}
