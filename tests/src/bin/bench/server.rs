//! The server under measurement: the release binary, as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use agcluster_tests::system::Api;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::limits::{resident, soon};

const START: Duration = Duration::from_secs(30);
/// It removes its sessions before it ends.
const STOP: Duration = Duration::from_secs(180);
/// What a server needs of this program's environment: where programs and the engine are.
const ENVIRONMENT: [&str; 8] = [
    "PATH",
    "HOME",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
];

/// A running server. Dropped without [`stop`](Self::stop), it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    port: u16,
}

impl Server {
    /// Starts it in `folder`, where it also logs, and waits until it listens.
    pub(crate) async fn start(program: &Path, arguments: &[String], folder: &Path) -> Result<Self> {
        let port_file = folder.join("port");
        let log = std::fs::File::create(folder.join("server.log"))?;
        let mut child = Command::new(program)
            .args(["--host=127.0.0.1", "--port=0"])
            .arg("--port-file")
            .arg(&port_file)
            .args(arguments)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C at the terminal is for this program, which then stops the server in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}: run `cargo xtask bench`", program.display()))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.context("the server ended at once")?;
        let listening = async {
            let mut looks = tokio::time::interval(Duration::from_millis(5));
            loop {
                looks.tick().await;
                if let Ok(port) = std::fs::read_to_string(&port_file) {
                    return Ok(port.trim().parse()?);
                }
                if let Some(status) = child.try_wait()? {
                    let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
                    bail!("the server ended ({status}): {log}");
                }
            }
        };
        let port = soon("the server's start", START, listening).await?;
        Ok(Self { child, pid, port })
    }

    /// A client with a key.
    pub(crate) fn api(&self, key: &str) -> Api {
        Api::new(format!("http://127.0.0.1:{}", self.port), key)
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> Result<f64> {
        resident(self.pid)
    }

    /// Asks it to end and waits until it and all its sessions have. One that does not is killed.
    ///
    /// # Errors
    /// When it had to be killed, or ended badly.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        // It may have ended by itself; the status tells.
        let _ = kill_process(self.pid, Signal::TERM);
        let ended = soon("the server's end", STOP, async { Ok(self.child.wait().await?) }).await;
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("the server ended badly ({status})"),
            Err(error) => {
                self.child.kill().await?;
                Err(error)
            }
        }
    }
}
