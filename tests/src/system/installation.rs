//! A server as a program of its own, that can be killed and started again on what it left.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agcluster_core::provider::{ContainerProvider, DestroyOptions, ListFilter};
use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{Api, Provider, configure};
use crate::free_port::free_port;
use crate::ground::{Ground, image};
use crate::model_api::{ModelApi, Options as ModelOptions, Violation};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(120);
/// What a server needs of this program's environment.
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

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where sessions are launched.
    pub provider: Provider,
    /// Further command-line arguments of the server.
    pub arguments: Vec<String>,
    /// A command before the server's own, which ends by becoming it.
    pub wrapper: Vec<String>,
    /// The server [default: the one of this build].
    pub program: Option<PathBuf>,
}

impl Plan {
    /// Nothing special.
    pub fn on(provider: Provider) -> Self {
        Self { provider, arguments: Vec::new(), wrapper: Vec::new(), program: None }
    }

    /// With further command-line arguments.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }
}

/// A folder, a port and a name that outlive any number of runs of the server.
#[derive(Debug)]
pub struct Installation {
    plan: Plan,
    ground: Ground,
    cluster: String,
    port: u16,
    model: ModelApi,
    model_url: String,
    folder: TempDir,
    server: Option<Child>,
}

impl Installation {
    /// Uses a new installation, whose server runs, and clears it whatever happens.
    ///
    /// # Errors
    /// The user's, or that something was left behind.
    pub async fn with<T>(
        plan: Plan,
        with: impl AsyncFnOnce(&mut Installation) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut installation = Self::new(plan).await?;
        let using = async {
            installation.start().await?;
            let done = with(&mut installation).await?;
            installation.stop().await?;
            Ok(done)
        };
        let done: anyhow::Result<T> = using.await;
        let log = installation.log();
        let cleared = installation.clear(done.is_ok()).await;
        match (done, cleared) {
            (Ok(done), cleared) => cleared.map(|()| done),
            (Err(error), cleared) => {
                let words: Vec<_> = log.lines().rev().take(30).collect();
                let words: String = words.into_iter().rev().map(|line| format!("\n  {line}")).collect();
                let left = cleared.err().map(|error| format!("\nalso: {error:#}")).unwrap_or_default();
                Err(error.context(format!("the server's last words:{words}{left}")))
            }
        }
    }

    async fn new(plan: Plan) -> anyhow::Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let model = ModelApi::start(ModelOptions { listen, ..ModelOptions::default() }).await?;
        let folder = tempfile::tempdir()?;
        let ground = Ground::prepare(plan.provider).await?;
        configure(&ground, &[], &folder)?;
        let cluster = format!("test-{}", uuid::Uuid::new_v4().simple());
        let model_url = model.url_for(&ground.host().await?);
        Ok(Self { plan, ground, cluster, port: free_port()?, model, model_url, folder, server: None })
    }

    /// Starts the server on what is there, and gives how long it took until it served.
    ///
    /// # Errors
    /// When it does not come to serve.
    pub async fn start(&mut self) -> anyhow::Result<Duration> {
        ensure!(self.server.is_none(), "the server runs already");
        tokio::time::timeout(START, self.until_port_is_free()).await.context("the port stays in use")?;
        let begun = Instant::now();
        let mut child = self.command()?.spawn().context("the server cannot be started: build it first")?;
        let stderr = child.stderr.take().context("no standard error")?;
        let log =
            tokio::fs::OpenOptions::new().create(true).append(true).open(self.path("server.log")).await?;
        let (serves, serving) = oneshot::channel();
        tokio::spawn(follow(stderr, log, serves));
        self.server = Some(child);
        if tokio::time::timeout(START, serving).await.context("the server took too long to start")?.is_err() {
            let log = self.log();
            bail!("the server ended before it served: {}", log.lines().last().unwrap_or_default());
        }
        Ok(begun.elapsed())
    }

    /// A child that was being made when its server was killed has the port until it has become what it shall be.
    async fn until_port_is_free(&self) {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            looks.tick().await;
        }
    }

    fn command(&self) -> anyhow::Result<Command> {
        let program = match &self.plan.program {
            Some(program) => program.clone(),
            None => server_program()?,
        };
        let mut line =
            self.plan.wrapper.iter().map(std::ffi::OsString::from).chain([program.into_os_string()]);
        let mut command = Command::new(line.next().context("no program")?);
        let path = |name: &str| self.path(name).display().to_string();
        let named = [
            ("--host", "127.0.0.1".to_owned()),
            ("--port", self.port.to_string()),
            ("--container-provider", self.plan.provider.name().to_owned()),
            ("--provider-configs", path("providers")),
            ("--agent-configs", path("agents")),
            ("--cluster", self.cluster.clone()),
            ("--data-dir", path("data")),
            ("--anthropic-base-url", self.model_url.clone()),
            ("--agent-image", image()),
            ("--on-shutdown", "remove".to_owned()),
            ("--container-cpu-quota", "200000".to_owned()),
            ("--container-memory-limit", "1g".to_owned()),
            ("--log-level", "info,agcluster_core=debug".to_owned()),
        ];
        command
            .args(line)
            .args(named.iter().map(|(name, value)| format!("{name}={value}")))
            .arg("--log-json")
            .args(&self.plan.arguments)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    /// Kills the server (SIGKILL) and waits until it is gone. Whether it ran.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn kill(&mut self) -> anyhow::Result<bool> {
        let Some(mut server) = self.server.take() else { return Ok(false) };
        server.kill().await?;
        Ok(true)
    }

    /// Asks the server to end, and waits until it has.
    ///
    /// # Errors
    /// When it does not, or ends badly.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        if let Some(pid) = server.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let status = tokio::time::timeout(STOP, server.wait()).await.context("the server does not end")??;
        ensure!(status.success(), "the server ended badly ({status})");
        Ok(())
    }

    /// The server's process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Child::id)
    }

    /// Waits until the server says that it knows what is true of every session.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub async fn adopted(&self) -> anyhow::Result<()> {
        self.api("nobody").adopted().await
    }

    /// A client that holds this key.
    pub fn api(&self, key: &str) -> Api {
        Api::new(format!("http://127.0.0.1:{}", self.port), key)
    }

    /// Where it launches.
    pub fn provider(&self) -> Provider {
        self.plan.provider
    }

    /// The name its containers are labelled with.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The model API behind it.
    pub fn model(&self) -> &ModelApi {
        &self.model
    }

    /// A path in its folder; `data` is the server's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything that all runs of the server have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// The platform, without the server before it.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn platform(&self) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        self.ground.make().await
    }

    /// Where the process provider has its files.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.ground.config()["state_dir"].as_str().map(PathBuf::from)
    }

    /// Ends everything. With `strictly`, it is an error when something is left.
    async fn clear(mut self, strictly: bool) -> anyhow::Result<()> {
        self.kill().await?;
        if !strictly && self.plan.provider != Provider::Memory {
            self.destroy_all().await?;
        }
        let violations: Vec<_> = self.model.violations().iter().map(Violation::to_string).collect();
        self.model.stop().await;
        self.ground.end(&self.cluster).await?;
        ensure!(violations.is_empty(), "the model API was sent wrong requests: {}", violations.join("; "));
        Ok(())
    }

    async fn destroy_all(&self) -> anyhow::Result<()> {
        let platform = self.platform().await?;
        // A container's destruction may show a workspace of its own.
        for _ in 0..2 {
            for container in platform.list(ListFilter::cluster(&*self.cluster)).await? {
                platform.destroy(&container.id, DestroyOptions::default()).await?;
            }
        }
        Ok(())
    }
}

/// The server that this workspace built beside this program.
///
/// # Errors
/// When this program is nowhere.
pub fn server_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = |folder: &Path| folder.join("agcluster-server");
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(beside).find(|program| program.is_file());
    found.context("there is no agcluster-server beside this program: build it first")
}

/// Keeps what the server says, and tells when it serves.
async fn follow(
    stderr: tokio::process::ChildStderr,
    mut log: tokio::fs::File,
    serves: oneshot::Sender<()>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stderr).lines();
    let mut serves = Some(serves);
    while let Some(line) = lines.next_line().await? {
        log.write_all(format!("{line}\n").as_bytes()).await?;
        // Before it says so, so that a reader of the log finds everything.
        log.flush().await?;
        if line.contains("\"message\":\"listening\"")
            && let Some(serves) = serves.take()
        {
            let _ = serves.send(());
        }
    }
    Ok(())
}
