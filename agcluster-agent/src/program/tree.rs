//! The processes below this one.
//!
//! A program's children may leave its process group, and outlive it. When this process is a subreaper they then become its
//! own children, so that walking down from here finds them all. It must then also reap them, but only those: the
//! programs it has started itself are waited for where they were started.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// Times the tree is walked to kill what is in it: each finds what the last round's dying parents left behind.
const ROUNDS: usize = 100;
/// The longest that is waited for a killed process to be gone, in each round.
const ROUND: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(crate) struct ProcessTree {
    /// Programs that were started here and are waited for elsewhere.
    own: Mutex<HashSet<i32>>,
    /// Whether everything below this process is this server's.
    whole: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    parent: i32,
    dead: bool,
}

impl ProcessTree {
    /// `own_process` says that whatever is orphaned comes to this process, and that nothing else is below it.
    pub(crate) fn new(own_process: bool) -> Arc<Self> {
        let tree = Arc::new(Self { own: Mutex::default(), whole: own_process });
        if own_process {
            tree.clone().reap_orphans();
        }
        tree
    }

    /// Starts a program that is waited for by its [`Child`].
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(Child, Pid)> {
        // Under the lock, so that nobody takes it for an orphan in between.
        let mut own = self.own();
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let pid =
            id.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("the program has no process id"))?;
        own.insert(pid.as_raw_nonzero().get());
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
        self.own().contains(&pid.as_raw_nonzero().get())
    }

    /// Kills what a process has started, as far as that can still be seen.
    pub(super) fn kill_below(&self, pid: Pid) {
        for below in below(&processes(), pid.as_raw_nonzero().get()) {
            kill(below);
        }
    }

    /// Kills whatever the programs have left behind. Does nothing unless all that is below this process is its own.
    pub(crate) async fn end_orphans(&self) {
        if !self.whole {
            return;
        }
        let Ok(mut died) = signal(SignalKind::child()) else { return };
        let mut seen_none = false;
        for _ in 0..ROUNDS {
            let left = self.kill_orphans();
            if left == 0 && seen_none {
                return;
            }
            // A child whose parent dies during the walk hangs in the air, and comes to this process by the next one.
            seen_none = left == 0;
            if seen_none {
                continue;
            }
            // The death of one of them is told by the signal; what is no child of this process dies untold.
            let _ = tokio::time::timeout(ROUND, died.recv()).await;
        }
        tracing::warn!("processes that the agent has started would not die");
    }

    /// Kills and counts everything below this process but the programs that are waited for.
    fn kill_orphans(&self) -> usize {
        let own = self.own();
        let processes = processes();
        let me = getpid().as_raw_nonzero().get();
        let mut left = 0;
        for pid in below(&processes, me) {
            let alive = processes.get(&pid).is_some_and(|entry| !entry.dead);
            if alive && !own.contains(&pid) {
                kill(pid);
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
            if entry.dead && entry.parent == me && !own.contains(&pid) {
                // It fails when it is gone already, which is all that was wanted.
                let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
            }
        }
    }

    fn own(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// All that descends from a process, without itself.
fn below(processes: &HashMap<i32, Entry>, root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, entry) in processes {
        children.entry(entry.parent).or_default().push(*pid);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.append(&mut children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Every process that can be seen.
fn processes() -> HashMap<i32, Entry> {
    let Ok(directory) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = directory.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse(&stat)?))
    })
    .collect()
}

/// `pid (name) state parent …`, where the name may hold anything, also parentheses.
fn parse(stat: &str) -> Option<Entry> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let dead = matches!(fields.next()?, "Z" | "X");
    Some(Entry { parent: fields.next()?.parse().ok()?, dead })
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

    #[test]
    fn a_name_may_hold_anything() {
        let entry = parse("12 (a) Z 1 (b)) S 34 12 12 0").unwrap();
        assert_eq!((entry.parent, entry.dead), (34, false));
        assert!(parse("12 (x) Z 1 1").unwrap().dead);
        assert!(parse("").is_none());
    }

    #[test]
    fn all_that_descends_is_found() {
        let tree = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 4)];
        let processes = tree.map(|(pid, parent)| (pid, Entry { parent, dead: false })).into();
        let mut found = below(&processes, 2);
        found.sort_unstable();
        assert_eq!(found, [3, 4, 6]);
    }
}
