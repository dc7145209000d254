//! A child process that is waited for on a thread of its own, so that every wait can have an end.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::command;

/// A running program in a process group of its own: Ctrl-C at the terminal does not reach it, its starter
/// decides. Dropping it ends it at once, with all it has started.
pub(crate) struct Running {
    name: String,
    group: Pid,
    ended: Receiver<io::Result<ExitStatus>>,
    status: Option<ExitStatus>,
    detached: bool,
}

impl Running {
    /// Starts `command`; `on_end` is called on another thread once it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command, on_end: impl FnOnce() + Send + 'static) -> Result<Self> {
        let name = command::line(command);
        let mut child =
            command.process_group(0).spawn().with_context(|| format!("`{name}` could not be started"))?;
        let group = Pid::from_child(&child);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more when the starter has gone first.
            let _ = sender.send(child.wait());
            on_end();
        });
        Ok(Self { name, group, ended, status: None, detached: false })
    }

    /// Waits at most `limit` for the end; `None` when it still runs then.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            match self.ended.recv_timeout(limit) {
                Ok(status) => {
                    self.status = Some(status.with_context(|| format!("waiting for `{}`", self.name))?)
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for `{}` any more", self.name),
            }
        }
        Ok(self.status)
    }

    /// Waits until `ready` answers true, asking again after growing pauses.
    ///
    /// # Errors
    /// When the program ends first, or is not ready within `limit`.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(10);
        while !ready() {
            if let Some(status) = self.wait(pause)? {
                bail!("`{}` ended ({status}) before it was ready", self.name);
            }
            if begun.elapsed() > limit {
                bail!("`{}` was not ready within {} s", self.name, limit.as_secs());
            }
            pause = (pause * 2).min(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM), and after `grace` makes it.
    pub(crate) fn stop(&mut self, grace: Duration) -> Result<()> {
        if self.wait(Duration::ZERO)?.is_none() {
            self.signal(Signal::TERM);
            if self.wait(grace)?.is_none() {
                eprintln!("`{}` did not end within {} s and is killed", self.name, grace.as_secs());
                self.signal(Signal::KILL);
            }
        }
        Ok(())
    }

    /// Lets it live on when this program ends.
    pub(crate) fn detach(mut self) {
        self.detached = true;
    }

    fn signal(&self, signal: Signal) {
        // It may have ended this moment: then there is nobody to tell.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.detached
            && self.status.is_none()
            && self.wait(Duration::ZERO).is_ok_and(|status| status.is_none())
        {
            self.signal(Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_end_is_reported_once_and_for_all() {
        let (sender, ended) = mpsc::channel();
        let mut running = Running::start(Command::new("sh").args(["-c", "exit 7"]), move || {
            let _ = sender.send(());
        })
        .unwrap();
        ended.recv_timeout(LONG).unwrap();
        assert_eq!(running.wait(LONG).unwrap().and_then(|status| status.code()), Some(7));
        assert_eq!(running.wait(LONG).unwrap().and_then(|status| status.code()), Some(7));
        running.stop(LONG).unwrap();
    }

    #[test]
    fn waiting_for_readiness_notices_the_end() {
        let mut running = Running::start(&mut Command::new("false"), || ()).unwrap();
        let error = running.wait_until(LONG, || false).unwrap_err().to_string();
        assert!(error.contains("before it was ready"), "{error}");
    }

    #[test]
    fn waiting_for_readiness_has_an_end() {
        let mut running = Running::start(Command::new("sleep").arg("600"), || ()).unwrap();
        let mut asked = 0;
        running
            .wait_until(LONG, || {
                asked += 1;
                asked == 3
            })
            .unwrap();
        let error = running.wait_until(Duration::ZERO, || false).unwrap_err().to_string();
        assert!(error.contains("was not ready"), "{error}");
    }

    #[test]
    fn a_program_that_will_not_end_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let deaf = folder.path().join("deaf");
        let script = "trap '' TERM; touch \"$1\"; while :; do sleep 600; done";
        let mut running =
            Running::start(Command::new("sh").args(["-c", script, "sh"]).arg(&deaf), || ()).unwrap();
        running.wait_until(LONG, || deaf.exists()).unwrap();
        running.stop(Duration::from_millis(20)).unwrap();
        let status = running.wait(LONG).unwrap().unwrap();
        assert_eq!(status.signal(), Some(9));
    }
}
