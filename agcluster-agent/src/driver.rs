//! Drivers: what runs an agent program and puts its stream into the common vocabulary.
//!
//! A driver is one task. It takes [`Order`]s and says what happens to the [`Recorder`]; it holds its state alone, so
//! nothing in it needs a lock. However it ends, also by a panic, whoever started it ends the turns it left open.

mod claude;
mod scripted;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use agcluster_protocol::{
    Answer, Configure, DriverKind, Problem, PromptBlock, PromptId, Settings, TurnId, codes,
};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::ServerConfig;
use crate::program::ProcessTree;
use crate::recorder::{NotAdded, Recorder};
use crate::vitals::Vitals;

#[cfg(feature = "fuzzing")]
pub(crate) use claude::fuzz as fuzz_claude_stream;

/// Orders that may wait for a driver.
pub(crate) const ORDERS: usize = 16;

/// What a driver is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// A client's turn has begun: hand the prompt over.
    Prompt { turn: TurnId, prompt: Vec<PromptBlock> },
    /// Add a prompt to this turn, and answer with the cursor before the event that tells it.
    Steer {
        turn: TurnId,
        id: PromptId,
        prompt: Vec<PromptBlock>,
        done: oneshot::Sender<Result<u64, DriverError>>,
    },
    /// End the agent program with its turn and start it again; answer when it is ready.
    Restart { done: oneshot::Sender<Result<(), DriverError>> },
    /// End this turn.
    Interrupt { turn: TurnId },
    /// Pass on the answer to a request that is asked.
    Answer { answer: Answer, done: oneshot::Sender<Result<(), DriverError>> },
    /// Change settings of the running agent.
    Settings { settings: Settings, done: oneshot::Sender<Result<(), DriverError>> },
}

/// The orders to a driver, in order.
pub(crate) struct Orders {
    taken: mpsc::Receiver<Order>,
    stop: CancellationToken,
}

impl Orders {
    pub(crate) fn new(taken: mpsc::Receiver<Order>, stop: CancellationToken) -> Self {
        Self { taken, stop }
    }

    /// The next order; nothing when the driver shall end. Dropping the future loses no order.
    pub(crate) async fn next(&mut self) -> Option<Order> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            order = self.taken.recv() => order,
        }
    }
}

/// Runs one agent for one session.
#[async_trait]
pub(crate) trait Driver: Send {
    /// Carries out orders until there are no more, then ends the agent program and returns.
    async fn run(self: Box<Self>, orders: Orders);
}

/// A driver whose agent is ready for a prompt.
pub(crate) struct Ready {
    /// Name and version of the agent program.
    pub(crate) agent: String,
    /// The vendor's id of the conversation.
    pub(crate) conversation: Option<String>,
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) surroundings: Surroundings,
}

/// What the agent program finds around it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Its home, if it has one.
    pub(crate) home: Option<PathBuf>,
    /// The names of its environment's variables.
    pub(crate) variables: BTreeSet<String>,
}

/// Why a driver did not do as it was told.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DriverError {
    /// The agent program is not there.
    #[error("{0}")]
    NotFound(String),
    /// It did not start.
    #[error("{0}")]
    StartFailed(String),
    /// It did not answer in time.
    #[error("{0}")]
    Timeout(String),
    /// What was asked makes no sense to this driver.
    #[error("{0}")]
    Invalid(String),
    /// The turn does not run.
    #[error("this turn does not run: start a new one")]
    NotRunning,
    /// The driver cannot.
    #[error("{0}")]
    Unsupported(String),
    /// The request is no longer asked.
    #[error("no request with this id waits for an answer")]
    UnknownRequest,
    /// The agent program will not.
    #[error("{0}")]
    Refused(String),
}

impl From<DriverError> for Problem {
    fn from(error: DriverError) -> Self {
        let code = match &error {
            DriverError::NotFound(_) => codes::AGENT_NOT_FOUND,
            DriverError::StartFailed(_) => codes::AGENT_START_FAILED,
            DriverError::Refused(_) => codes::AGENT_REFUSED,
            DriverError::Timeout(_) => codes::AGENT_TIMEOUT,
            DriverError::Invalid(_) => codes::INVALID_REQUEST,
            DriverError::UnknownRequest => codes::UNKNOWN_REQUEST,
            DriverError::NotRunning => codes::IDLE,
            DriverError::Unsupported(_) => codes::UNSUPPORTED,
        };
        Self { code: code.to_owned(), detail: error.to_string() }
    }
}

impl From<NotAdded> for DriverError {
    fn from(refused: NotAdded) -> Self {
        match refused {
            NotAdded::NotRunning => Self::NotRunning,
            NotAdded::NotTheClients => Self::Unsupported(
                "a turn that the agent began by itself takes no prompts: wait for its end".to_owned(),
            ),
        }
    }
}

/// Why a turn failed whose program was started again by order.
const RESTARTED: &str = "the agent program was started again, because that was asked for";

/// Why a program is not started again by itself.
fn too_many_deaths(deaths: u32, why: &str) -> String {
    format!(
        "the agent program ended {deaths} times in a row and is not started again by itself ({why}): the next prompt tries again"
    )
}

/// Starts the agent that a configuration asks for, and waits until it is ready. Dropping the future ends what was
/// started.
pub(crate) async fn start(
    config: Arc<ServerConfig>,
    tree: Arc<ProcessTree>,
    configure: Configure,
    recorder: Recorder,
) -> Result<Ready, DriverError> {
    match configure.driver {
        DriverKind::Scripted => scripted::start(&config, configure, recorder),
        DriverKind::Claude => claude::start(config, tree, configure, recorder).await,
    }
}
