//! The gateway Worker, running in `workerd`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{containers, workerd};

/// What a gateway's containers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Docker containers of the agent image.
    Docker,
    /// Nothing but what `fake_runtime.js` says: what a container does follows from its id.
    Fake,
    /// The same under the scheduling policy `durable_object`: images can be chosen.
    FakeSelectable,
    /// Agent servers that are started and ended at this address.
    Tasks(SocketAddr),
}

/// Where the gateway's modules are.
const SOURCES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../agcluster-providers/src/cloudflare/worker/src");
const FAKE: &str = include_str!("fake_runtime.js");
/// As `wrangler.jsonc` has it.
const COMPATIBILITY_DATE: &str = "2026-02-01";
/// The engine, unless DOCKER_HOST names another socket.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// How long `workerd` may take to listen.
const LISTENS: Duration = Duration::from_secs(30);
/// The most that is kept of its log.
const LONGEST_LOG: usize = 64 << 10;

/// A gateway. Dropped, it is ended, and leaves its containers.
#[derive(Debug)]
pub struct Gateway {
    runtime: Runtime,
    token: Option<String>,
    /// What the names of its containers begin with.
    prefix: String,
    folder: TempDir,
    program: PathBuf,
    process: Child,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Gateway {
    /// Starts one on a free port of this machine, with objects of its own.
    ///
    /// # Errors
    /// When `workerd` cannot be had or does not listen.
    pub async fn start(runtime: Runtime, token: Option<&str>) -> anyhow::Result<Self> {
        let program = workerd::program().await?;
        let folder = tempfile::Builder::new().prefix("agc-workerd-").tempdir()?;
        let key = containers::new_key();
        write(folder.path(), runtime, &key, token.is_some())?;
        let log = Arc::<Mutex<String>>::default();
        let (process, port) = run(&program, folder.path(), token, &log).await?;
        let prefix = containers::prefix(&key);
        let token = token.map(str::to_owned);
        Ok(Self { runtime, token, prefix, folder, program, process, port, log })
    }

    /// The port it listens on; another one after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its containers are.
    pub fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// What the names of its containers on the engine begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills it and starts it over the same objects.
    ///
    /// # Errors
    /// When it does not listen again.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        (self.process, self.port) =
            run(&self.program, self.folder.path(), self.token.as_deref(), &self.log).await?;
        Ok(())
    }

    /// Ends it. Its containers stay.
    ///
    /// # Errors
    /// When it had ended before by itself.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let ended = self.process.try_wait()?;
        ensure!(ended.is_none(), "workerd ended by itself ({ended:?}):\n{}", self.log());
        self.process.kill().await?;
        Ok(())
    }
}

async fn run(
    program: &Path,
    folder: &Path,
    token: Option<&str>,
    log: &Arc<Mutex<String>>,
) -> anyhow::Result<(Child, u16)> {
    let mut process = Command::new(program)
        .args(["serve", "config.capnp", "--experimental", "--control-fd=1"])
        .current_dir(folder)
        .env_clear()
        .envs(token.map(|token| ("GATEWAY_TOKEN", token)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("workerd could not be started")?;
    let (listens, port) = oneshot::channel();
    tokio::spawn(keep(process.stdout.take(), Arc::clone(log), Some(listens)));
    tokio::spawn(keep(process.stderr.take(), Arc::clone(log), None));
    let port = tokio::time::timeout(LISTENS, port).await.ok().and_then(Result::ok);
    let port = port.with_context(|| {
        format!("workerd does not listen:\n{}", log.lock().unwrap_or_else(PoisonError::into_inner))
    })?;
    Ok((process, port))
}

/// Reads what the program writes to the end; the line that says where it listens is for whoever waits for it.
async fn keep(
    stream: Option<impl AsyncRead + Unpin>,
    log: Arc<Mutex<String>>,
    mut listens: Option<oneshot::Sender<u16>>,
) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let event = serde_json::from_str::<serde_json::Value>(&line).unwrap_or_default();
        let port = event["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        if let (Some(port), Some(listens)) = (port, listens.take_if(|_| event["event"] == "listen")) {
            // Nobody waits any more when it came too late.
            let _ = listens.send(port);
            continue;
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() + line.len() < LONGEST_LOG {
            log.push_str(&line);
            log.push('\n');
        }
    }
}

/// Writes the Worker's modules and `workerd`'s configuration into a folder.
fn write(folder: &Path, runtime: Runtime, key: &str, has_token: bool) -> anyhow::Result<()> {
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(SOURCES)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".js") {
            std::fs::copy(&path, folder.join(name))?;
            modules.push(name.to_owned());
        }
    }
    let entry = match runtime {
        Runtime::Docker => "index.js",
        Runtime::Fake | Runtime::FakeSelectable | Runtime::Tasks(_) => "fake_runtime.js",
    };
    if runtime != Runtime::Docker {
        std::fs::write(folder.join(entry), FAKE)?;
        modules.push(entry.to_owned());
    }
    // The first module is the Worker.
    modules.sort_by_key(|name| (name != entry, name.clone()));
    std::fs::create_dir(folder.join("objects"))?;
    std::fs::write(folder.join("config.capnp"), capnp(folder, &modules, runtime, key, has_token))?;
    Ok(())
}

/// The configuration. Objects are on disk: with objects in memory, this version ends at the first alarm.
fn capnp(folder: &Path, modules: &[String], runtime: Runtime, key: &str, has_token: bool) -> String {
    let listed = modules.iter().fold(String::new(), |mut text, name| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    (name = \"{name}\", esModule = embed \"{name}\"),");
        text
    });
    let objects = folder.join("objects");
    let image = std::env::var("AGCLUSTER_TEST_IMAGE").unwrap_or_else(|_| "agcluster/agent:latest".to_owned());
    let socket = std::env::var("DOCKER_HOST").ok().filter(|host| host.starts_with("unix:"));
    let socket = socket.as_deref().unwrap_or(SOCKET).replacen("unix://", "unix:", 1);
    let container = match runtime {
        Runtime::Docker => format!(", container = (imageName = \"{image}\")"),
        Runtime::Fake | Runtime::FakeSelectable | Runtime::Tasks(_) => String::new(),
    };
    let kind = match runtime {
        Runtime::FakeSelectable => "(name = \"KIND\", text = \"chosen\"),".to_owned(),
        Runtime::Tasks(address) => format!("(name = \"TASKS\", text = \"http://{address}\"),"),
        Runtime::Fake | Runtime::Docker => String::new(),
    };
    let token =
        if has_token { "(name = \"GATEWAY_TOKEN\", fromEnvironment = \"GATEWAY_TOKEN\")," } else { "" };
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = .gateway),
    (name = "objects", disk = (path = "{}", writable = true)),
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "gateway")],
);
const gateway :Workerd.Worker = (
  modules = [
{listed}  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  bindings = [
    {token}{kind}
    (name = "AGENT", durableObjectNamespace = "AgentContainer"),
    (name = "INDEX", durableObjectNamespace = "ContainerIndex"),
  ],
  durableObjectNamespaces = [
    (className = "AgentContainer", uniqueKey = "{key}", enableSql = true{container}),
    (className = "ContainerIndex", uniqueKey = "{key}-index", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  containerEngine = (localDocker = (socketPath = "{socket}")),
);
"#,
        objects.display()
    )
}
