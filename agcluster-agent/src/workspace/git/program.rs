//! Running `git`.

mod options;
mod running;

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace as codes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::super::folder::Folder;
use crate::http::Refusal;
use crate::program::ProcessTree;
pub(super) use running::Running;

/// Commands that run at a time; others wait.
const AT_A_TIME: usize = 8;
/// The longest a command may take that touches this container's disk alone.
const LOCAL: Duration = Duration::from_secs(60);
/// The most a command may answer that is read whole.
const ANSWER: usize = 1 << 20;

/// The `git` program.
#[derive(Debug)]
pub(super) struct Git {
    tree: Arc<ProcessTree>,
    places: Arc<Semaphore>,
}

/// A command to be run.
#[derive(Debug)]
pub(super) struct Run<'a> {
    git: &'a Git,
    command: Command,
    input: Vec<u8>,
    most: usize,
    limit: Duration,
    configured: usize,
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Output {
    /// Whether it did what it was told.
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    /// Whether there was more than is taken.
    pub(super) cut: bool,
    /// The last of what it complained about.
    pub(super) stderr: String,
}

impl Git {
    pub(super) fn new(tree: Arc<ProcessTree>) -> Self {
        Self { tree, places: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// A command that looks at a repository and changes nothing, not even to remember what it has seen.
    pub(super) fn look(&self, folder: &Folder) -> Run<'_> {
        let mut run = self.act(folder);
        run.command.env("GIT_OPTIONAL_LOCKS", "0");
        run
    }

    /// A command that may change a repository.
    pub(super) fn act(&self, folder: &Folder) -> Run<'_> {
        let mut command = Command::new("git");
        options::environment(&mut command, &folder.root);
        command.args(options::ALWAYS).current_dir(folder.handle());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Run { git: self, command, input: Vec::new(), most: ANSWER, limit: LOCAL, configured: 0 }
    }
}

impl Run<'_> {
    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Further configuration for this command alone, where no argument shows it.
    pub(super) fn config(
        mut self,
        entries: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        for (key, value) in entries {
            self.command.env(format!("GIT_CONFIG_KEY_{}", self.configured), key);
            self.command.env(format!("GIT_CONFIG_VALUE_{}", self.configured), value);
            self.configured += 1;
        }
        self.command.env("GIT_CONFIG_COUNT", self.configured.to_string());
        self
    }

    /// What it reads from its standard input.
    pub(super) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// The longest it may take.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The most of its answer that is taken.
    pub(super) fn most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// Starts it as soon as there is room. Dropping what this gives kills it.
    pub(super) async fn start(mut self) -> Result<Running, Refusal> {
        // Nobody closes the semaphore.
        let place = self.git.places.clone().acquire_owned().await.ok();
        let mut running = Running::spawn(&mut self.command, self.git.tree.clone(), place)
            .map_err(|error| missing(&error))?;
        if let Some(mut stdin) = running.stdin.take() {
            let input = self.input;
            tokio::spawn(async move {
                // A command that ends without reading says why itself.
                let _ = stdin.write_all(&input).await;
            });
        }
        Ok(running)
    }

    /// Runs it to its end. Dropping the future kills it.
    pub(super) async fn output(self) -> Result<Output, Refusal> {
        let (most, limit) = (self.most, self.limit);
        let run = async {
            let mut running = self.start().await?;
            let mut stdout = Vec::new();
            if let Some(from) = running.stdout.take() {
                // What cannot be read ends here; how it ended says the rest.
                let _ = from.take(most as u64 + 1).read_to_end(&mut stdout).await;
            }
            let cut = stdout.len() > most;
            stdout.truncate(most);
            if cut {
                running.kill();
            }
            let (success, stderr) = running.end().await;
            Ok(Output { success, stdout, cut, stderr })
        };
        tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
            Err(Refusal::new(
                codes::GIT_TIMEOUT,
                format!("git took longer than {} seconds: ask for less at once", limit.as_secs()),
            ))
        })
    }

    /// Runs it to its end and gives what it says, when it does what it was told.
    pub(super) async fn text(self) -> Result<Vec<u8>, Refusal> {
        let output = self.output().await?;
        if output.success && !output.cut { Ok(output.stdout) } else { Err(output.refusal()) }
    }
}

impl Output {
    /// What git says against it.
    pub(super) fn refusal(&self) -> Refusal {
        failed(&self.stderr)
    }
}

/// What git says against something: the first line that begins as an error does, or the last.
pub(super) fn failed(stderr: &str) -> Refusal {
    let said = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let line = stderr.lines().find(said).or_else(|| stderr.lines().last()).unwrap_or_default();
    let line: String = line.chars().filter(|char| !char.is_control()).take(300).collect();
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    match line {
        "" => Refusal::new(codes::GIT_FAILED, "git does not do it, and does not say why"),
        line => Refusal::new(codes::GIT_FAILED, format!("git says: {line}")),
    }
}

fn missing(error: &io::Error) -> Refusal {
    tracing::warn!(%error, "git cannot be started");
    match error.kind() {
        io::ErrorKind::NotFound => {
            Refusal::new(codes::GIT_MISSING, "there is no git in the container: use an image that has it")
        }
        _ => Refusal::new(codes::GIT_FAILED, "git cannot be started in that folder"),
    }
}
