//! The processes below this one.
//!
//! A program's children may leave its process group, and outlive it. When this process is a subreaper they then become its
//! own children, so that walking down from here finds them all. It must then also reap them, but only those: the
//! programs it has started itself are waited for where they were started.
//!
//! What people start (a terminal's shell, a command) has nothing to do with the agent program: it and what descends from it
//! are spared when an agent program ends.

use std::collections::HashMap;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process_group, waitpid};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::proc_fs::{below, processes, send};
use super::signals;

/// Times the tree is walked to kill what is in it: each finds what the last round's dying parents left behind.
const ROUNDS: usize = 100;
/// The longest that is waited for a killed process to be gone, in each round.
const ROUND: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct ProcessTree {
    /// Programs that were started here and are waited for elsewhere.
    own: Mutex<HashMap<i32, Kind>>,
    /// Whether everything below this process is this server's.
    whole: bool,
}

/// For whom a program was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For the agent: what it has started ends with it.
    Agents,
    /// For people: what it has started is theirs, too, and so is what is in its session.
    Peoples,
}

impl ProcessTree {
    /// `own_process` says that whatever is orphaned comes to this process, and that nothing else is below it. Whatever signals this
    /// process ignores, what is started here does not.
    pub(crate) fn new(own_process: bool) -> Arc<Self> {
        signals::hear();
        let tree = Arc::new(Self { own: Mutex::default(), whole: own_process });
        if own_process {
            tree.clone().reap_orphans();
        }
        tree
    }

    /// Starts a program of the agent's that is waited for by its [`Child`].
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(Child, Pid)> {
        self.start(Kind::Agents, || command.spawn())
    }

    /// Starts a program of people's, which is not of the agent's affairs and outlives its program.
    pub(crate) fn spawn_apart(&self, spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Pid)> {
        self.start(Kind::Peoples, spawn)
    }

    fn start(&self, kind: Kind, spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<(Child, Pid)> {
        // Under the lock, so that nobody takes it for an orphan in between.
        let mut own = self.own();
        let child = spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let pid =
            id.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("the program has no process id"))?;
        own.insert(pid.as_raw_nonzero().get(), kind);
        Ok((child, pid))
    }

    /// Runs a command to its end, with this as its input. Dropping the future kills it.
    pub(crate) async fn run(&self, command: &mut Command, input: &[u8]) -> io::Result<ExitStatus> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let (mut child, pid) = self.spawn(command)?;
        // Also when this is broken off.
        let _gone = Gone { tree: self, pid };
        if let Some(mut stdin) = child.stdin.take() {
            let written = async {
                stdin.write_all(input).await?;
                stdin.shutdown().await
            };
            if let Err(error) = written.await {
                // Its own end says more.
                tracing::debug!(%error, "a command does not read its input");
            }
        }
        child.wait().await
    }

    /// A program has been waited for: its process id is somebody else's from now on.
    pub(crate) fn gone(&self, pid: Pid) {
        self.own().remove(&pid.as_raw_nonzero().get());
    }

    pub(super) fn is_own(&self, pid: Pid) -> bool {
        self.own().contains_key(&pid.as_raw_nonzero().get())
    }

    /// Kills a process with its group, and what it has started, as far as that can still be seen. Itself first: it shall not
    /// see its children die and come to an end of its own.
    pub(crate) fn kill(&self, pid: Pid) {
        let leader = pid.as_raw_nonzero().get();
        let started = below(&processes(), leader, |_, _| false);
        send(leader, Signal::KILL);
        // It fails when it leads no group, or all of it is gone already.
        let _ = kill_process_group(pid, Signal::KILL);
        for below in started {
            send(below, Signal::KILL);
        }
    }

    /// Sends a signal to every process of a session, whatever groups they are in, and counts them.
    pub(crate) fn signal_session(&self, leader: Pid, signal: Signal) -> usize {
        let leader = leader.as_raw_nonzero().get();
        let members = processes().into_iter().filter(|(_, entry)| entry.session == leader && !entry.dead);
        members.map(|(pid, _)| send(pid, signal)).count()
    }

    /// Kills every process of a session until there are none.
    pub(crate) async fn end_session(&self, leader: Pid) {
        if !until_none(|| self.signal_session(leader, Signal::KILL)).await {
            tracing::warn!("the processes of a terminal would not die");
        }
    }

    /// Kills whatever the agent's programs have left behind. Does nothing unless all that is below this process is its own.
    pub(crate) async fn end_orphans(&self) {
        if self.whole && !until_none(|| self.kill_orphans()).await {
            tracing::warn!("processes that the agent has started would not die");
        }
    }

    /// Kills and counts everything below this process but the programs that are waited for, and what is people's.
    fn kill_orphans(&self) -> usize {
        let own = self.own();
        let processes = processes();
        let me = getpid().as_raw_nonzero().get();
        let is_peoples = |pid: i32| own.get(&pid) == Some(&Kind::Peoples);
        let mut left = 0;
        for pid in below(&processes, me, |pid, entry| is_peoples(pid) || is_peoples(entry.session)) {
            let alive = processes.get(&pid).is_some_and(|entry| !entry.dead);
            if alive && !own.contains_key(&pid) {
                send(pid, Signal::KILL);
                left += 1;
            }
        }
        left
    }

    fn reap_orphans(self: Arc<Self>) {
        let mut died = match signal(SignalKind::child()) {
            Ok(died) => died,
            Err(error) => {
                tracing::warn!(%error, "orphaned processes will not be reaped");
                return;
            }
        };
        // Ends with the tree.
        let tree = Arc::downgrade(&self);
        tokio::spawn(async move {
            while died.recv().await.is_some() {
                let Some(tree) = tree.upgrade() else { return };
                tree.reap();
            }
        });
    }

    fn reap(&self) {
        let own = self.own();
        let me = getpid().as_raw_nonzero().get();
        for (pid, entry) in processes() {
            if entry.dead && entry.parent == me && !own.contains_key(&pid) {
                // It fails when it is gone already, which is all that was wanted.
                let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
            }
        }
    }

    fn own(&self) -> MutexGuard<'_, HashMap<i32, Kind>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills as long as there is something to kill, in vain when this is false.
async fn until_none(mut kill: impl FnMut() -> usize) -> bool {
    let Ok(mut died) = signal(SignalKind::child()) else { return false };
    let mut seen_none = false;
    for _ in 0..ROUNDS {
        let left = kill();
        if left == 0 && seen_none {
            return true;
        }
        // A child whose parent dies during the walk hangs in the air, and comes to this process by the next one.
        seen_none = left == 0;
        if seen_none {
            continue;
        }
        // The death of one of them is told by the signal; what is no child of this process dies untold.
        let _ = tokio::time::timeout(ROUND, died.recv()).await;
    }
    false
}

/// Takes a program off the list of those that are waited for.
struct Gone<'a> {
    tree: &'a ProcessTree,
    pid: Pid,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.tree.gone(self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_is_given_its_input_and_waited_for() {
        let tree = ProcessTree::new(false);
        let mut reads = Command::new("sh");
        reads.args(["-c", "[ $(cat) = hello ]"]);
        assert!(tree.run(&mut reads, b"hello").await.unwrap().success());
        assert!(!tree.run(&mut reads, b"other").await.unwrap().success());
        let mut deaf = Command::new("true");
        assert!(tree.run(&mut deaf, &[b'x'; 1 << 20]).await.unwrap().success());
        assert!(tree.own().is_empty());
    }
}
