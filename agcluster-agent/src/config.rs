//! What an agent server is made with.

use std::path::PathBuf;
use std::time::Duration;

use agcluster_protocol::resources::Measured;

use crate::TokenDigest;

/// The longest wait between two starts of a program.
const LONGEST_RESTART_DELAY: Duration = Duration::from_secs(60);

/// What an agent server is made with. Make one with [`ServerConfig::new`] and change what shall be different.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The digest of the bearer token that every route but `/health` asks for.
    pub token_digest: TokenDigest,
    /// The directory the agent works in when its options name none. Default `/workspace`.
    pub workspace: PathBuf,
    /// The user the agent program runs as; the server's own when absent. Switching takes root, or `CAP_SETUID` and
    /// `CAP_SETGID`.
    pub agent_user: Option<AgentUser>,
    /// Where the agent program's home is made, anew for each server. When absent, images' `/home/agent` is the home if the
    /// agent's user can have it; else one is made where temporary files go.
    pub homes: Option<PathBuf>,
    /// Whether the server is a process of its own, which may adopt and end whatever its agent program leaves behind.
    /// Only the binary says so; an application that holds the server in its own process must not. Default `false`.
    pub own_process: bool,
    /// What is measured when somebody asks what the container uses. Default nothing: an application that holds the server in its
    /// own process is not what is meant.
    pub measured: Measured,
    /// Where the agent programs are.
    pub programs: Programs,
    /// How much is kept for replay.
    pub replay: ReplayLimits,
    /// The longest silence on an event stream; a comment breaks it. Default 15 seconds.
    pub heartbeat: Duration,
    /// The longest a program may take to become ready. Default 60 seconds.
    pub start_timeout: Duration,
    /// The longest a program may take to end a turn that was interrupted, before it is killed. Default 10 seconds.
    pub interrupt_timeout: Duration,
    /// How often a program may end, or fail to start, in a row before it is no longer started again by itself. Default 5.
    pub restart_tries: u32,
    /// How long is waited before the second start in a row; each further wait is twice as long, up to a minute. Default
    /// 250 milliseconds.
    pub restart_delay: Duration,
    /// The longest a program may take to end when it is told to, before it is killed. Default 3 seconds.
    pub stop_timeout: Duration,
}

impl ServerConfig {
    /// The defaults, and a token.
    pub fn new(token_digest: TokenDigest) -> Self {
        Self {
            token_digest,
            workspace: PathBuf::from("/workspace"),
            agent_user: None,
            homes: None,
            own_process: false,
            measured: Measured::Nothing,
            programs: Programs::default(),
            replay: ReplayLimits::default(),
            heartbeat: Duration::from_secs(15),
            start_timeout: Duration::from_secs(60),
            interrupt_timeout: Duration::from_secs(10),
            restart_tries: 5,
            restart_delay: Duration::from_millis(250),
            stop_timeout: Duration::from_secs(3),
        }
    }
}

impl ServerConfig {
    /// How long to wait before a program is started again that has ended so often in a row; nothing when it is not.
    pub(crate) fn restart_after(&self, deaths: u32) -> Option<Duration> {
        match deaths {
            _ if deaths >= self.restart_tries => None,
            0 | 1 => Some(Duration::ZERO),
            _ => {
                let factor = 2_u32.saturating_pow(deaths - 2);
                Some(self.restart_delay.saturating_mul(factor).min(LONGEST_RESTART_DELAY))
            }
        }
    }
}

/// A user of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentUser {
    /// The user id.
    pub uid: u32,
    /// The group id; the only group the user is in.
    pub gid: u32,
}

/// Where the agent programs are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Programs {
    /// Claude Code: a path, or a name that is looked for in `PATH`. Default `claude`.
    pub claude: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self { claude: PathBuf::from("claude") }
    }
}

/// How many events are kept for those who read late.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReplayLimits {
    /// Bytes kept in memory. Default 4 MiB.
    pub memory_bytes: usize,
    /// Bytes kept altogether; the oldest events are dropped beyond it, unless they will be acknowledged and are not yet.
    /// Default 256 MiB.
    pub total_bytes: u64,
    /// Bytes of events that are not acknowledged; beyond it the agent program waits. Default 1 GiB.
    pub unacknowledged_bytes: u64,
    /// Where what does not fit into memory goes, in files without names. Where temporary files go when absent.
    pub directory: Option<PathBuf>,
}

impl Default for ReplayLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 4 * 1024 * 1024,
            total_bytes: 256 * 1024 * 1024,
            unacknowledged_bytes: 1024 * 1024 * 1024,
            directory: None,
        }
    }
}
