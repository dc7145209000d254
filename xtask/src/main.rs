//! Developer commands: `cargo xtask <command>`.
//!
//! Each command looks at what it needs, makes or installs what is missing where it may, and otherwise
//! says in one sentence what to install. Nothing is made again while its inputs stay the same.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks on its terminal")]

mod agent;
mod bench;
mod checks;
mod command;
mod conformance;
mod crash;
mod demo;
mod docker;
mod environment;
mod fuzz;
mod image;
mod programs;
mod running;
mod server;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::fuzz::Found;
use crate::image::{Order, Variant};

/// Developer commands of AgCluster.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is missing, the agent image included, and run the server.
    Up {
        /// Arguments for the server.
        #[arg(last = true)]
        server: Vec<String>,
    },
    /// As `up`, with a scripted model API in place of a key.
    Demo,
    /// Build the agent image.
    Image {
        /// `data` adds the Python packages for data analysis and is tagged `:data`.
        #[arg(long, value_enum, default_value_t = Variant::Default)]
        variant: Variant,
        /// Image to build on; without it, a Debian one that is present, pulled or made here.
        #[arg(long, value_name = "IMAGE")]
        base: Option<String>,
        /// Build every layer again, so that the newest Debian packages get in.
        #[arg(long)]
        fresh: bool,
    },
    /// Build the static agent server binary that goes into containers.
    Agent,
    /// Run everything that must hold, as continuous integration does.
    Test {
        /// Run only the tests whose names contain one of these.
        filter: Vec<String>,
    },
    /// Put providers through the behaviour suite and print what they came to.
    ///
    /// With AGCLUSTER_LIVE=PLATFORM it is the real platform, configured as the server is: by configs/providers/PLATFORM.yaml
    /// and the environment. It makes some thirty containers there, removes them, and costs what they cost.
    Conformance {
        /// Which; all, if none is named.
        platforms: Vec<String>,
    },
    /// Kill the server again and again while it works: --rounds N, --seed S, --agent scripted|claude; see --help.
    Crash {
        /// Arguments for the crash test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Feed whatever parses what comes from outside with whatever, from the corpus in fuzz/ on.
    Fuzz {
        /// Which targets; all, if none is named.
        targets: Vec<String>,
        /// How long each.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Add what goes further to the corpus.
        #[arg(long)]
        keep: bool,
    },
    /// Measure, and print each figure beside its floor.
    Bench {
        /// Arguments for the benchmark.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test { filter } => return checks::run(&filter),
        Command::Up { server } => server::up(&server),
        Command::Demo => demo::run(),
        Command::Image { variant, base, fresh } => image::build(&Order { variant, base, fresh }).map(drop),
        Command::Agent => agent::build().map(|path| println!("{}", path.display())),
        Command::Conformance { platforms } => conformance::run(&platforms),
        Command::Crash { arguments } => crash::run(&arguments),
        Command::Fuzz { targets, seconds, keep } => {
            fuzz::run(&targets, seconds, if keep { Found::Kept } else { Found::Left })
        }
        Command::Bench { arguments } => bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
