//! Sessions: one agent in one container each, from launch to removal, over any number of runs of this program.

mod acting;
mod approvals;
mod bring_up;
mod conversation;
mod credentials;
mod disposable;
mod ending;
mod error;
mod id;
mod idle;
mod jobs;
mod launch;
mod lifecycle;
mod lifetime;
mod looking;
pub mod messages;
mod owner;
mod placement;
mod policy;
mod pump;
mod record;
mod recovery;
mod registry;
mod repository;
mod session_handle;
mod state;
mod turn;
mod turn_end;
mod turns;
mod watchdog;

pub use approvals::{
    Approval, ApprovalKind, ApprovalNews, ApprovalPolicy, ApprovalStatus, Asked, News, OnTimeout,
};
pub use disposable::Disposable;
pub use error::{Result, SessionError};
pub use id::{AgentId, SessionId};
pub use idle::IdlePolicy;
pub use launch::{AgentSpec, Launch, LaunchTimings, Waking};
pub use owner::Owner;
pub use policy::{IdleAction, SessionPolicy, StuckAction};
pub use record::{LaunchFacts, SessionRecord};
pub use recovery::Progress;
pub use registry::{Sessions, SessionsBuilder};
pub use repository::Repository;
pub use session_handle::{Session, SessionInfo};
pub use state::{State, Status};
pub use turn::Turn;
pub use turns::{Idempotency, TurnRequest, WhenBusy};
pub use watchdog::WatchdogPolicy;
