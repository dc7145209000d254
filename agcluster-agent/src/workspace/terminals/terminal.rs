//! One terminal.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agcluster_protocol::workspace::{
    Exit, TERMINAL_BLOCKED, TERMINAL_ENDED, TERMINAL_UNAVAILABLE, Terminal as View, TerminalSize,
};
use pty_process::{OwnedReadPty, OwnedWritePty};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::scrollback::{Read, Scrollback};
use super::shell::{Shell, dimensions};
use crate::http::Refusal;
use crate::program::ProcessTree;
use crate::workspace::exit_of;

/// The most that is read at once from a shell, or given at once to a viewer.
const PIECE: usize = 16 * 1024;
/// The longest that input waits for the program in the terminal to read it.
const UNREAD: Duration = Duration::from_secs(10);
/// How long a shell may take to end when its terminal is ended, before it is killed.
const GRACE: Duration = Duration::from_millis(500);
/// The longest that is read on after a shell has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A shell with its pseudo-terminal, and what came from it.
#[derive(Debug)]
pub(super) struct Terminal {
    name: String,
    shell: String,
    directory: String,
    input: tokio::sync::Mutex<OwnedWritePty>,
    state: Mutex<State>,
    /// Changes with the state.
    changes: watch::Sender<()>,
    /// Ends it.
    close: CancellationToken,
}

#[derive(Debug)]
struct State {
    scrollback: Scrollback,
    size: TerminalSize,
    viewers: usize,
    used: Instant,
    exit: Option<Exit>,
}

/// What is next for a viewer.
pub(super) enum Next {
    Bytes(Vec<u8>),
    /// What began at the viewer's offset is lost, up to this one.
    Lost(u64),
    Resized(TerminalSize),
    Exited(Exit),
    Nothing,
}

impl Terminal {
    /// A terminal with a shell that was just started, and the task that it needs to run in.
    pub(super) fn new(
        name: &str,
        directory: &Path,
        shell: Shell,
        (size, scrollback): (TerminalSize, Scrollback),
        close: CancellationToken,
    ) -> (Arc<Self>, Attended) {
        let Shell { program, child, pid, output, input } = shell;
        let terminal = Self {
            name: name.to_owned(),
            shell: program.display().to_string(),
            directory: directory.display().to_string(),
            input: tokio::sync::Mutex::new(input),
            state: Mutex::new(State { scrollback, size, viewers: 0, used: Instant::now(), exit: None }),
            changes: watch::Sender::new(()),
            close,
        };
        let terminal = Arc::new(terminal);
        (terminal.clone(), Attended { terminal, child, pid, output })
    }

    pub(super) fn view(&self, created: bool) -> View {
        let state = self.state();
        View {
            name: self.name.clone(),
            shell: self.shell.clone(),
            directory: self.directory.clone(),
            size: state.size,
            oldest: state.scrollback.oldest(),
            newest: state.scrollback.newest(),
            created,
            viewers: state.viewers,
            exit: state.exit,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().exit.is_some()
    }

    /// The offset behind its newest output.
    pub(super) fn newest(&self) -> u64 {
        self.state().scrollback.newest()
    }

    /// Writes to the shell; answers when the terminal has all of it.
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<(), Refusal> {
        self.used()?;
        let mut input = self.input.lock().await;
        let unread = || {
            let detail = "the program in the terminal does not read its input: interrupt or end it";
            Refusal::new(TERMINAL_BLOCKED, detail)
        };
        tokio::time::timeout(UNREAD, input.write_all(bytes)).await.map_err(|_| unread())?.map_err(|_| ended())
    }

    pub(super) async fn resize(&self, size: TerminalSize) -> Result<(), Refusal> {
        self.used()?;
        let resized = self.input.lock().await.resize(dimensions(size));
        resized.map_err(|error| Refusal::new(TERMINAL_UNAVAILABLE, format!("it has no window: {error}")))?;
        self.change(|state| state.size = size);
        Ok(())
    }

    /// Ends its shell and whatever runs in it, and waits until all of it is gone.
    pub(super) async fn end(&self) {
        self.close.cancel();
        let mut changes = self.changes.subscribe();
        while !self.has_ended() && changes.changed().await.is_ok() {}
    }

    /// One who looks at it, from now on.
    pub(super) fn enter(&self) -> (watch::Receiver<()>, TerminalSize) {
        let mut state = self.state();
        state.viewers += 1;
        state.used = Instant::now();
        (self.changes.subscribe(), state.size)
    }

    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.viewers -= 1;
        state.used = Instant::now();
    }

    /// What comes next for a viewer that has everything before an offset, and knows this size.
    pub(super) fn next(&self, offset: u64, size: TerminalSize) -> Next {
        let state = self.state();
        if state.size != size {
            return Next::Resized(state.size);
        }
        match (state.scrollback.read(offset, PIECE), state.exit) {
            (Read::Bytes(bytes), _) => Next::Bytes(bytes),
            (Read::Lost(oldest), _) => Next::Lost(oldest),
            (Read::Nothing, Some(exit)) => Next::Exited(exit),
            (Read::Nothing, None) => Next::Nothing,
        }
    }

    fn used(&self) -> Result<(), Refusal> {
        let mut state = self.state();
        state.used = Instant::now();
        if state.exit.is_some() { Err(ended()) } else { Ok(()) }
    }

    /// When it is to be ended because nobody needs it, as things are.
    fn idle_at(&self, limit: Duration) -> Instant {
        let state = self.state();
        let since = if state.viewers > 0 { Instant::now() } else { state.used };
        since + limit
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changes.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended() -> Refusal {
    Refusal::new(TERMINAL_ENDED, "the shell of this terminal has ended: open the terminal again")
}

/// A terminal whose shell has to be listened to.
pub(super) struct Attended {
    terminal: Arc<Terminal>,
    child: Child,
    pid: Pid,
    output: OwnedReadPty,
}

impl Attended {
    /// Carries output until the shell has ended, by itself or because it shall; then ends all that it has started.
    pub(super) async fn attend(mut self, tree: Arc<ProcessTree>, idle: Duration) {
        let terminal = self.terminal.clone();
        let ended = tokio::select! {
            ended = self.listen() => ended,
            () = terminal.close.cancelled() => self.hang_up(&tree).await,
            () = idle_for(&terminal, idle) => self.hang_up(&tree).await,
        };
        // A job in the background has left the shell's process group, but not its session.
        tree.end_session(self.pid).await;
        tree.gone(self.pid);
        let _ = tokio::time::timeout(LAST_WORDS, self.carry()).await;
        let exit = ended.map(exit_of).unwrap_or_default();
        terminal.change(|state| state.exit = Some(exit));
    }

    /// Carries output until the shell has ended.
    async fn listen(&mut self) -> io::Result<ExitStatus> {
        let Self { terminal, child, output, .. } = self;
        let mut piece = vec![0; PIECE];
        loop {
            tokio::select! {
                read = output.read(&mut piece) => match read {
                    Ok(length) if length > 0 => terminal.change(|state| state.scrollback.push(&piece[..length])),
                    // Nobody has the terminal open any more: its shell has ended, or closed it and goes on.
                    _ => return child.wait().await,
                },
                ended = child.wait() => return ended,
            }
        }
    }

    /// Carries what is left of the output.
    async fn carry(&mut self) {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = self.output.read(&mut piece).await {
            self.terminal.change(|state| state.scrollback.push(&piece[..length]));
        }
    }

    /// Tells all in the terminal that it is gone, and kills the shell if it does not end by itself.
    async fn hang_up(&mut self, tree: &ProcessTree) -> io::Result<ExitStatus> {
        tree.signal_session(self.pid, Signal::HUP);
        // What stands still would not hear.
        tree.signal_session(self.pid, Signal::CONT);
        if let Ok(ended) = tokio::time::timeout(GRACE, self.listen()).await {
            return ended;
        }
        self.child.start_kill()?;
        self.child.wait().await
    }
}

/// Ends when nobody has needed the terminal for so long.
async fn idle_for(terminal: &Terminal, limit: Duration) {
    loop {
        let at = terminal.idle_at(limit);
        if at <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(at).await;
    }
}
