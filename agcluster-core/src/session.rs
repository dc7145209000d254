//! Sessions: one agent in one container each, from launch to removal.

mod error;
mod id;
mod idle;
mod launch;
mod lifetime;
mod owner;
mod placement;
mod pump;
mod registry;
mod session_handle;
mod state;
mod turn;

pub use error::{Result, SessionError};
pub use id::{AgentId, SessionId};
pub use idle::IdlePolicy;
pub use launch::{AgentSpec, Launch, LaunchTimings};
pub use owner::Owner;
pub use registry::{Sessions, SessionsBuilder};
pub use session_handle::{Session, SessionInfo};
pub use state::{State, Status};
pub use turn::Turn;
