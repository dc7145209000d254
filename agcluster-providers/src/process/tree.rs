//! A container's processes: the agent server, everything below it, and what it left behind if it died.
//!
//! While it lives, the agent server adopts orphans, so that everything it ever started is below it. When it was killed
//! from outside, orphans are found by the home they have.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::identity::{Held, Identity};
use super::proc_fs::{self, Stat};

/// A container's processes.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// The agent server, if it is known.
    pub(super) root: Option<Identity>,
    /// The folder in which the agent's home is made; nobody else's is there.
    pub(super) homes: PathBuf,
}

/// How long a killed process may take to end: it may hang in the kernel.
const LAST_BREATH: Duration = Duration::from_secs(10);
/// How often processes are looked for again before they are given up as endless.
const ROUNDS: usize = 1000;

impl Tree {
    fn root(&self) -> Option<Stat> {
        self.root.as_ref().and_then(Identity::stat)
    }

    /// Everything but the agent server itself.
    fn members(&self) -> io::Result<Vec<Stat>> {
        let all = proc_fs::all()?;
        let root = self.root().map(|root| root.pid);
        let mut below: HashSet<i32> = root.into_iter().collect();
        loop {
            let is_new = |stat: &&Stat| below.contains(&stat.parent) && !below.contains(&stat.pid);
            let more: Vec<_> = all.iter().filter(is_new).map(|stat| stat.pid).collect();
            if more.is_empty() {
                break;
            }
            below.extend(more);
        }
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let belongs = |stat: &Stat| below.contains(&stat.pid) || proc_fs::lives_in(stat.pid, &self.homes);
        let others = all.into_iter().filter(|stat| Some(stat.pid) != root && stat.pid != own);
        Ok(others.filter(|stat| stat.is_alive() && belongs(stat)).collect())
    }

    /// Asks the agent server to end, and lets it end its own processes for as long as `grace`.
    pub(super) async fn terminate(&self, grace: Duration) -> io::Result<()> {
        // Frozen, it would not hear.
        self.resume()?;
        let Some(held) = self.root().map(Held::take).transpose()?.flatten() else { return Ok(()) };
        held.signal(Signal::TERM)?;
        held.ended(grace).await.map(|_| ())
    }

    /// Ends everything, at once and for certain.
    ///
    /// The agent server is frozen first and killed last: frozen it starts nothing, and alive it adopts what its
    /// processes leave behind, so that none of them gets away.
    pub(super) async fn kill(&self) -> io::Result<()> {
        let root = self.root().map(Held::take).transpose()?.flatten();
        if let Some(root) = &root {
            root.signal(Signal::STOP)?;
        }
        self.kill_members().await?;
        if let Some(root) = root {
            root.signal(Signal::KILL)?;
            ended(root).await?;
            self.kill_members().await?;
        }
        Ok(())
    }

    async fn kill_members(&self) -> io::Result<()> {
        for _ in 0..ROUNDS {
            let members = self.members()?;
            if members.is_empty() {
                return Ok(());
            }
            let mut killed = Vec::new();
            for member in members {
                if let Some(held) = Held::take(member)? {
                    held.signal(Signal::KILL)?;
                    killed.push(held);
                }
            }
            for held in killed {
                ended(held).await?;
            }
        }
        Err(io::Error::other("processes came faster than they could be ended"))
    }

    /// Freezes everything, the agent server first. Answers when all of it stands still.
    pub(super) async fn pause(&self) -> io::Result<()> {
        for _ in 0..ROUNDS {
            let all: Vec<_> = self.root().into_iter().chain(self.members()?).collect();
            let moving: Vec<_> = all.into_iter().filter(|stat| !stat.is_stopped()).collect();
            if moving.is_empty() {
                return Ok(());
            }
            for member in moving {
                if let Some(held) = Held::take(member)? {
                    held.signal(Signal::STOP)?;
                }
            }
            // A process stops when it next returns from the kernel, which nothing tells.
            tokio::task::yield_now().await;
        }
        Err(io::Error::other("processes came faster than they could be frozen"))
    }

    /// Thaws everything, the agent server last.
    pub(super) fn resume(&self) -> io::Result<()> {
        let all = self.members()?.into_iter().chain(self.root());
        for member in all.filter(|stat| stat.is_stopped()) {
            if let Some(held) = Held::take(member)? {
                held.signal(Signal::CONT)?;
            }
        }
        Ok(())
    }
}

async fn ended(held: Held) -> io::Result<()> {
    if held.ended(LAST_BREATH).await? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "a process does not end even when it is killed"))
}
