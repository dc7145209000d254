//! What can be chosen.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measure, and print each figure beside its floor from the same run.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench", max_term_width = 110)]
pub(crate) struct Options {
    /// How often each thing is measured
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    pub(crate) runs: usize,

    /// Measure these parts only, comma-separated
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,

    /// What the scripted agents of `relay`, `completions` and `memory` run in
    #[arg(long, value_enum, default_value_t = Platform::Docker)]
    pub(crate) scripted_on: Platform,

    /// Sessions of `memory`
    #[arg(long, default_value_t = 200, value_parser = at_least_one)]
    pub(crate) sessions: usize,

    /// Open streams of `memory`, shared out among its sessions
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) streams: usize,

    /// Sessions of `restart`, besides 50 on Docker
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) restart_sessions: usize,

    /// Streams of `streams`
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) journaled_streams: usize,

    /// How many seconds `streams` takes, and its floor: 600 show whether memory stays
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    pub(crate) seconds: usize,

    /// Sessions of `idle`
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    pub(crate) idle_sessions: usize,

    /// The agent image
    #[arg(long, default_value = "agcluster/agent:latest")]
    pub(crate) image: String,

    /// The server to measure [default: the one beside this program]
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,

    /// Also write every measured value into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Make this state and print this process's memory: what `idle` starts
    #[arg(long, value_enum, hide = true)]
    pub(crate) look_at: Option<State>,
}

/// What a process is looked at with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Sessions
    Sessions,
    /// Agent servers alone
    Agents,
}

impl State {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Agents => "agents",
        }
    }
}

/// A part of the benchmark, which can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Launches, first answers and removals, with real Claude Code in Docker
    Launch,
    /// The way of events from the agent server to a client
    Relay,
    /// The way of a chat completion's chunks, beside the events that they are made of
    Completions,
    /// From a key to its echo in a terminal, beside the engine's own way
    Terminal,
    /// Files into a container and out of it, beside `docker cp`
    Files,
    /// The server's memory
    Memory,
    /// `/health` while launches and removals run
    Health,
    /// A server that was ended, until it serves again and has found its sessions
    Restart,
    /// Many journaled streams at once
    Streams,
    /// The memory of very many idle sessions
    Idle,
    /// Events that are kept, on SQLite and on PostgreSQL
    Append,
    /// The layers around a platform, and the requests that a launch takes there
    Platforms,
}

/// What agents run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Platform {
    /// Docker containers
    Docker,
    /// Child processes
    Process,
}

impl Platform {
    /// The provider's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

impl Options {
    /// The parts to run, in their order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let all = Part::value_variants().iter().copied();
        all.filter(|part| self.only.is_empty() || self.only.contains(part)).collect()
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
    fn parts_come_in_their_order_and_once() {
        let parts = |line: &[&str]| Options::try_parse_from(line).unwrap().parts();
        assert_eq!(parts(&["bench"]), Part::value_variants());
        assert_eq!(parts(&["bench", "--only", "memory,relay,relay"]), [Part::Relay, Part::Memory]);
        assert!(Options::try_parse_from(["bench", "--runs", "0"]).is_err());
    }
}
