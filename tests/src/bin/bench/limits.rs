//! Bounds: of waiting, of open files; and what a process has in memory.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};

/// The longest that one step of a measurement may take.
pub(crate) const STEP: Duration = Duration::from_secs(120);

/// Waits for something, but not for ever.
///
/// # Errors
/// Its own, or that it took too long.
pub(crate) async fn soon<T>(
    what: &str,
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = tokio::time::timeout(limit, future).await;
    done.with_context(|| format!("{what} took longer than {} s", limit.as_secs()))?
}

/// Allows this process, and those it starts, so many open files.
///
/// # Errors
/// When the system's own limit is lower.
pub(crate) fn allow_open_files(files: u64) -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= files) {
        return Ok(());
    }
    ensure!(
        now.maximum.is_none_or(|maximum| maximum >= files),
        "{files} files must be open at once: raise the limit (ulimit -Hn), or ask for fewer streams"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: now.maximum })?;
    Ok(())
}

/// The resident memory of a process, in bytes.
///
/// # Errors
/// When the process is gone.
pub(crate) fn resident(pid: Pid) -> Result<f64> {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse_resident(&status).with_context(|| format!("{path} has no VmRSS"))
}

fn parse_resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        let status = "Name:\tserver\nVmPeak:\t  99 kB\nVmRSS:\t   12 kB\nThreads:\t1\n";
        assert_eq!(parse_resident(status), Some(12.0 * 1024.0));
        assert_eq!(parse_resident("Name:\tgone\n"), None);
        assert!(resident(rustix::process::getpid()).unwrap() > 4096.0);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end() {
        let error = soon("the test", STEP, std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(error.to_string(), "the test took longer than 120 s");
        assert_eq!(soon("it", STEP, async { Ok(1) }).await.unwrap(), 1);
    }
}
