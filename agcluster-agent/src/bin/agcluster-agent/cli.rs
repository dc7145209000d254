//! Arguments and environment.

use std::path::PathBuf;

use agcluster_agent::{AgentUser, ServerConfig, TokenDigest};
use agcluster_protocol::TOKEN_DIGEST_ENV;
use agcluster_protocol::resources::Measured;
use clap::{Parser, Subcommand, ValueEnum};
use rustix::process::geteuid;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Failure;
use crate::listen::Address;

/// The user and group the agent program runs as when this program runs as root.
const DEFAULT_AGENT_ID: u32 = 1000;

/// The agent server: runs one coding agent and serves it over HTTP.
///
/// Started in a container, or beside one, by the control plane. It waits for `POST /configure`.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// Where to listen: `ADDRESS:PORT` or `unix:PATH`; may be given several times [default: port 3000 of every
    /// address, IPv6 and IPv4].
    #[arg(long, env = "AGCLUSTER_LISTEN", value_delimiter = ',')]
    pub(crate) listen: Vec<Address>,

    /// Write the number of the first TCP port here once it is open.
    #[arg(long, value_name = "PATH")]
    pub(crate) port_file: Option<PathBuf>,

    /// SHA-256 digest, in hex, of the bearer token that shall open this server.
    #[arg(long, env = TOKEN_DIGEST_ENV, value_name = "HEX")]
    token_sha256: Option<String>,

    /// Where the agent works unless its configuration says otherwise.
    #[arg(long, env = "AGCLUSTER_WORKSPACE", default_value = "/workspace", value_name = "PATH")]
    workspace: PathBuf,

    /// The user id of the agent program. Only root can choose one [default: 1000 for root].
    #[arg(long, env = "AGCLUSTER_AGENT_UID", value_name = "UID")]
    agent_uid: Option<u32>,

    /// The group id of the agent program. Only root can choose one [default: 1000 for root].
    #[arg(long, env = "AGCLUSTER_AGENT_GID", value_name = "GID")]
    agent_gid: Option<u32>,

    /// Where the agent's home is made, anew each time [default: /home/agent as it is, or where temporary files go].
    #[arg(long, env = "AGCLUSTER_HOMES", value_name = "PATH")]
    homes: Option<PathBuf>,

    /// The Claude Code program: a path, or a name to look for in PATH.
    #[arg(long, env = "AGCLUSTER_CLAUDE", default_value = "claude", value_name = "PROGRAM")]
    claude: PathBuf,

    /// Where events that do not fit into memory are kept [default: where temporary files go].
    #[arg(long, env = "AGCLUSTER_REPLAY_DIRECTORY", value_name = "PATH")]
    replay_directory: Option<PathBuf>,

    /// Bytes of events that are kept until they are acknowledged; beyond it the agent waits [default: 1 GiB].
    #[arg(long, env = "AGCLUSTER_REPLAY_UNACKNOWLEDGED", value_name = "BYTES")]
    replay_unacknowledged: Option<u64>,

    /// What is measured when somebody asks what is used: `container`, or `tree` on a machine that is others', too.
    #[arg(long, env = "AGCLUSTER_MEASURE", default_value = "container", value_name = "WHAT")]
    measure: Measure,

    /// What to log to standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter by module.
    #[arg(long, env = "AGCLUSTER_LOG", default_value = "info", value_name = "FILTER")]
    log: String,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Measure {
    /// The whole container.
    Container,
    /// This process and everything below it.
    Tree,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask a running agent server for its health; exit code 0 when it answers.
    Healthcheck {
        /// Its base URL.
        #[arg(default_value = "http://127.0.0.1:3000")]
        url: String,
    },
    /// Serve the workspace as this user. Started by the agent server, which gives it a socket as standard input.
    #[command(hide = true)]
    Workspace {
        /// The folder beneath which everything happens.
        #[arg(long)]
        root: PathBuf,
        /// The home of this user.
        #[arg(long)]
        home: Option<PathBuf>,
    },
}

impl Cli {
    pub(crate) fn start_log(&self) -> Result<(), Failure> {
        let filter: Targets = self
            .log
            .parse()
            .map_err(|error| Failure::usage(format!("AGCLUSTER_LOG cannot be read: {error}")))?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
        tracing_subscriber::registry().with(lines).with(filter).init();
        Ok(())
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, Failure> {
        let Some(digest) = &self.token_sha256 else {
            return Err(Failure::usage(format!(
                "set {TOKEN_DIGEST_ENV} to the SHA-256 digest (hex) of the bearer token this server shall accept"
            )));
        };
        let digest = TokenDigest::from_hex(digest.trim())
            .map_err(|error| Failure::usage(format!("{TOKEN_DIGEST_ENV}: {error}")))?;
        let mut config = ServerConfig::new(digest);
        config.workspace.clone_from(&self.workspace);
        config.agent_user = self.agent_user()?;
        config.homes.clone_from(&self.homes);
        config.own_process = true;
        config.measured = match self.measure {
            Measure::Container => Measured::Container,
            Measure::Tree => Measured::ProcessTree,
        };
        config.programs.claude.clone_from(&self.claude);
        config.replay.directory.clone_from(&self.replay_directory);
        if let Some(bytes) = self.replay_unacknowledged {
            config.replay.unacknowledged_bytes = bytes;
        }
        Ok(config)
    }

    fn agent_user(&self) -> Result<Option<AgentUser>, Failure> {
        let own = geteuid();
        if own.is_root() {
            let uid = self.agent_uid.unwrap_or(DEFAULT_AGENT_ID);
            let gid = self.agent_gid.unwrap_or(DEFAULT_AGENT_ID);
            // The agent as root beside a server that is root: everything the server knows would lie open.
            return if uid == 0 {
                Err(Failure::usage("AGCLUSTER_AGENT_UID must not be 0: the agent must not be root"))
            } else {
                Ok(Some(AgentUser { uid, gid }))
            };
        }
        match self.agent_uid {
            Some(uid) if uid != own.as_raw() => Err(Failure::usage(format!(
                "AGCLUSTER_AGENT_UID is {uid}, but only root can run the agent as another user: start this server as \
                 root or leave it out"
            ))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
