//! Starting `dockerd` by hand, on a machine without a service manager.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::{self, announce};
use crate::running::Running;

const LOG: &str = "/var/log/agcluster-dockerd.log";
const LIMIT: Duration = Duration::from_secs(120);
/// A pid file of a killed daemon keeps the next one from starting as soon as anybody has that pid again.
const PID_FILES: [(&str, &str); 2] =
    [("/var/run/docker.pid", "dockerd"), ("/var/run/docker/containerd/containerd.pid", "containerd")];

/// Starts the engine and waits until `ready`. It goes on when this program ends.
///
/// # Errors
/// When it ends or stays silent; the message carries the end of its log.
pub(crate) fn start(ready: impl FnMut() -> bool) -> Result<()> {
    let (pid_file, program) = PID_FILES[0];
    if owner_lives(Path::new("/proc"), Path::new(pid_file), program) {
        // A package's start script was quicker. Follow that one: `tail` ends with it.
        let pid = fs::read_to_string(pid_file)?;
        let mut other = Command::new("tail");
        other.args(["--follow", "/dev/null", "--pid", pid.trim()]);
        return Running::start(other.stdin(Stdio::null()), || ())?.wait_until(LIMIT, ready);
    }
    for (file, program) in PID_FILES {
        let file = Path::new(file);
        if file.exists() && !owner_lives(Path::new("/proc"), file, program) {
            announce(&format!("Removing {}, left by a {program} that is gone", file.display()));
            fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    let log = File::create(LOG).with_context(|| format!("cannot write {LOG}"))?;
    let mut dockerd = command::system("dockerd");
    dockerd.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut running = Running::start(&mut dockerd, || ())?;
    match running.wait_until(LIMIT, ready) {
        Ok(()) => {
            running.detach();
            Ok(())
        }
        Err(error) => {
            Err(error.context(format!("the Docker engine did not start; {LOG} ends with:\n{}", end_of_log())))
        }
    }
}

fn end_of_log() -> String {
    let text = fs::read_to_string(LOG).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Whether the process named in `pid_file` lives and is `program`, and not another one with the same pid.
fn owner_lives(proc: &Path, pid_file: &Path, program: &str) -> bool {
    let pid = fs::read_to_string(pid_file).unwrap_or_default();
    let Ok(pid) = pid.trim().parse::<u32>() else { return false };
    fs::read_to_string(proc.join(pid.to_string()).join("comm")).is_ok_and(|name| name.trim() == program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_counts_only_while_its_own_program_lives() {
        let folder = tempfile::tempdir().unwrap();
        let (proc, pid_file) = (folder.path(), folder.path().join("docker.pid"));
        assert!(!owner_lives(proc, &pid_file, "dockerd"), "no pid file");
        fs::write(&pid_file, "4711\n").unwrap();
        assert!(!owner_lives(proc, &pid_file, "dockerd"), "no such process");
        fs::create_dir(proc.join("4711")).unwrap();
        fs::write(proc.join("4711/comm"), "bash\n").unwrap();
        assert!(!owner_lives(proc, &pid_file, "dockerd"), "the pid belongs to another program now");
        fs::write(proc.join("4711/comm"), "dockerd\n").unwrap();
        assert!(owner_lives(proc, &pid_file, "dockerd"));
        fs::write(&pid_file, "").unwrap();
        assert!(!owner_lives(proc, &pid_file, "dockerd"), "an empty pid file");
    }
}
