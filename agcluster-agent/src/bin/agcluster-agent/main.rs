//! The agent server as a program. See `agcluster-agent --help`.
//!
//! Exit codes: 0 when it was told to end; 2 for bad arguments or environment; 3 when the system would not do what it
//! needs, such as listening; as the first process of a container (its init), whatever the server it runs exits with.

mod cli;
mod health;
mod init;
mod listen;
mod serve;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};

use cli::{Cli, Command};

/// Why the program cannot do its work: an exit code and one sentence.
#[derive(Debug)]
struct Failure {
    code: u8,
    sentence: String,
}

impl Failure {
    /// Bad arguments or environment.
    fn usage(sentence: impl Into<String>) -> Self {
        Self { code: 2, sentence: sentence.into() }
    }

    /// The system would not.
    fn system(sentence: impl Into<String>) -> Self {
        Self { code: 3, sentence: sentence.into() }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match &cli.command {
        Some(Command::Healthcheck { url }) => health::check(url).map(|()| ExitCode::SUCCESS),
        Some(Command::Workspace { root, home }) => {
            cli.start_log().and_then(|()| workspace::run(root, home.clone())).map(|()| ExitCode::SUCCESS)
        }
        None if getpid().is_init() => init::run(),
        None => run(&cli).map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|failure| {
        #[allow(clippy::print_stderr, reason = "the one sentence, whether or not a log is kept")]
        {
            eprintln!("agcluster-agent: {}", failure.sentence);
        }
        ExitCode::from(failure.code)
    })
}

fn run(cli: &Cli) -> Result<(), Failure> {
    // The key of the model will be in this process's memory: no process of the same user may read that, and no core
    // file may hold it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Failure::system(format!("the memory cannot be closed to other processes: {error}"))
    })?;
    // What the agent program leaves behind becomes a child of this process, which can then find and end it.
    set_child_subreaper(Some(getpid()))
        .map_err(|error| Failure::system(format!("orphaned processes cannot be adopted: {error}")))?;
    // Ignored because it fails only when one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli.start_log()?;
    let config = cli.server_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::system(format!("no threads: {error}")))?;
    runtime.block_on(serve::serve(cli, config))
}
