//! The first process of a container: runs the server as its child, passes signals on to it, and reaps what is orphaned.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// What is passed on. `SIGCHLD` is for the init itself.
const PASSED_ON: [(SignalKind, Signal); 6] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// Runs this program again as a child, and returns what that exits with. Whatever else still lives then dies with the
/// container.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| Failure::system(format!("signals cannot be heard: {error}")))?;
    runtime.block_on(supervise())
}

async fn supervise() -> Result<ExitCode, Failure> {
    let deaf = |error| Failure::system(format!("signals cannot be heard: {error}"));
    let mut died = signal(SignalKind::child()).map_err(deaf)?;
    let mut passed_on = Vec::new();
    for (kind, passed) in PASSED_ON {
        passed_on.push((signal(kind).map_err(deaf)?, passed));
    }
    let server = spawn_self()?;
    for (mut heard, passed) in passed_on {
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                // It fails when the server is gone, and then this process is about to be.
                let _ = kill_process(server, passed);
            }
        });
    }
    loop {
        if let Some(status) = reap(server)? {
            return Ok(ExitCode::from(exit_code(status)));
        }
        died.recv().await;
    }
}

fn spawn_self() -> Result<Pid, Failure> {
    // Not a child of tokio's, which would wait for it and take its status away.
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "agcluster-agent".into());
    let child = Command::new("/proc/self/exe").arg0(name).args(arguments).spawn();
    let child = child.map_err(|error| Failure::system(format!("the server cannot be started: {error}")))?;
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Failure::system("the server has no process id"))
}

/// Reaps all that is dead; the status of the server if it is among them.
fn reap(server: Pid) -> Result<Option<WaitStatus>, Failure> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == server => return Ok(Some(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(Failure::system(format!("the server cannot be waited for: {error}"))),
        }
    }
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
