//! Telling a process from a later one of the same number.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::proc_fs::{self, Stat};

/// Which process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: i32,
    pub(super) start_time: u64,
    pub(super) boot_id: String,
}

impl Identity {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> io::Result<Self> {
        let stat = proc_fs::stat(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { pid, start_time: stat.start_time, boot_id: proc_fs::boot_id()? })
    }

    /// What it is doing, if it is still there.
    pub(super) fn stat(&self) -> Option<Stat> {
        if proc_fs::boot_id().ok()? != self.boot_id {
            return None;
        }
        proc_fs::stat(self.pid).filter(|stat| stat.start_time == self.start_time && stat.is_alive())
    }
}

/// A hold on one process: what is done through it is done to no other one.
#[derive(Debug)]
pub(super) struct Held {
    pidfd: OwnedFd,
}

impl Held {
    /// Takes hold of a process that was seen; `None` when it is gone.
    pub(super) fn take(seen: Stat) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(seen.pid) else { return Ok(None) };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // After taking hold: if it is the right one now, it was the right one then.
        let same = proc_fs::stat(seen.pid).is_some_and(|now| now.start_time == seen.start_time);
        Ok(same.then_some(Self { pidfd }))
    }

    /// Sends a signal; what is gone already gets none.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Waits until it has ended. Whether it did within `limit`.
    pub(super) async fn ended(self, limit: Duration) -> io::Result<bool> {
        #[allow(deprecated, reason = "sound for a descriptor that is owned; what replaces it is unsafe code")]
        let pidfd = AsyncFd::with_interest(self.pidfd, Interest::READABLE)?;
        match tokio::time::timeout(limit, pidfd.readable()).await {
            Ok(ready) => ready.map(|_| true),
            Err(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[tokio::test]
    async fn another_process_of_the_same_number_is_not_taken_for_it() {
        let mut child =
            tokio::process::Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id().unwrap()).unwrap();
        let identity = Identity::of(pid).unwrap();
        let seen = identity.stat().unwrap();
        let earlier = Identity { start_time: identity.start_time - 1, ..identity.clone() };
        assert_eq!(earlier.stat(), None);
        let other_boot = Identity { boot_id: "another".to_owned(), ..identity.clone() };
        assert_eq!(other_boot.stat(), None);
        assert!(Held::take(Stat { start_time: seen.start_time - 1, ..seen }).unwrap().is_none());

        let held = Held::take(seen).unwrap().unwrap();
        held.signal(Signal::KILL).unwrap();
        assert!(held.ended(Duration::from_secs(60)).await.unwrap());
        child.wait().await.unwrap();
        assert_eq!(identity.stat(), None);
        assert!(Held::take(seen).unwrap().is_none());
    }
}
