//! What can be chosen.

use std::path::PathBuf;

use agcluster_tests::system::Provider;
use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use super::trouble::Trouble;

/// Kill the server again and again while it works, and see that nothing is lost, doubled or left behind.
#[derive(Debug, Clone, Parser)]
#[command(name = "crash", max_term_width = 110)]
pub(crate) struct Options {
    /// How often a round of launches, turns, restarts and removals is played, with the server killed in it
    #[arg(long, default_value_t = 20)]
    pub(crate) rounds: u32,

    /// What chance follows from; a run is repeated with the seed that it printed [default: a new one]
    #[arg(long)]
    seed: Option<u64>,

    /// Which agent
    #[arg(long, value_enum, default_value_t = Agent::Scripted)]
    pub(crate) agent: Agent,

    /// What agents run in [default: process for the scripted agent, docker for Claude]
    #[arg(long, value_enum)]
    provider: Option<Platform>,

    /// What befalls the system in each round instead of a kill of its server, comma-separated; a kill may follow
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) trouble: Vec<Trouble>,

    /// What stands still or is cut off is so for so many seconds at the most, and for all of them in one round of four
    #[arg(long, default_value_t = 5)]
    pub(crate) still: u64,

    /// So many times, at any byte, a client loses its event stream and goes on; after the rounds
    #[arg(long, default_value_t = 0)]
    pub(crate) disconnects: u64,

    /// The clients of `--disconnects`
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    pub(crate) streams: usize,

    /// How often the server is killed during `--disconnects`
    #[arg(long, default_value_t = 3)]
    pub(crate) kills: u32,

    /// The agent image
    #[arg(long, default_value = "agcluster/agent:latest")]
    pub(crate) image: String,

    /// The server [default: the one beside this program]
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
}

/// Which agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    /// The one that does what prompts say
    Scripted,
    /// Claude Code, with a scripted model
    Claude,
}

/// What agents run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    /// Child processes
    Process,
    /// Docker containers
    Docker,
}

impl Options {
    /// Where sessions are launched.
    pub(crate) fn provider(&self) -> Provider {
        match (self.provider, self.agent) {
            (Some(Platform::Process), _) | (None, Agent::Scripted) => Provider::Process,
            (Some(Platform::Docker), _) | (None, Agent::Claude) => Provider::Docker,
        }
    }

    /// Whether this may befall it.
    pub(crate) fn has(&self, trouble: Trouble) -> bool {
        self.trouble.contains(&trouble)
    }

    /// Refuses what cannot be together.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn check(&self) -> Result<()> {
        let is_on_docker = self.provider() == Provider::Docker;
        let databases = [Trouble::Disk, Trouble::Lock, Trouble::Postgres];
        let chosen = databases.into_iter().filter(|trouble| self.has(*trouble)).count();
        ensure!(chosen <= 1, "choose one of disk, lock and postgres: there is one database");
        ensure!(
            is_on_docker || !self.has(Trouble::Network),
            "only containers of Docker are cut from their network: add --provider=docker"
        );
        Ok(())
    }

    /// The seed that was asked for, or a new one.
    pub(crate) fn seed(&self) -> u64 {
        // Short enough to be typed.
        self.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a whole number from 1 on".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_together_is_refused() {
        let check = |line: &[&str]| Options::try_parse_from(line).unwrap().check();
        assert!(check(&["crash", "--trouble=container,disk"]).is_ok());
        assert!(check(&["crash", "--trouble=postgres,lock"]).is_err());
        assert!(check(&["crash", "--trouble=network"]).is_err());
        assert!(check(&["crash", "--trouble=network", "--agent=claude"]).is_ok());
    }

    #[test]
    fn each_agent_has_its_usual_place() {
        let provider = |line: &[&str]| Options::try_parse_from(line).unwrap().provider();
        assert_eq!(provider(&["crash"]), Provider::Process);
        assert_eq!(provider(&["crash", "--agent=claude"]), Provider::Docker);
        assert_eq!(provider(&["crash", "--agent=claude", "--provider=process"]), Provider::Process);
    }
}
