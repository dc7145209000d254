//! A PostgreSQL server of its own for a test: Debian's programs, a new folder, a free port, and an end with the test.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::free_port::free_port;

/// Where Debian has the programs, one folder a version.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// How long a start or an end may take.
const LIMIT: Duration = Duration::from_secs(60);
/// PostgreSQL's word for it, in its log.
const READY: &str = "database system is ready to accept connections";

/// A running server. Ended when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    user: Option<User>,
    server: Option<Child>,
    databases: AtomicU32,
}

/// Whom the server runs as, when this is root, as whom it refuses to run.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Makes a cluster and starts its server, which syncs to the disk as one in earnest would.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("agcluster-postgres-").tempdir()?;
        let user = rustix::process::geteuid().is_root().then(unprivileged).transpose()?;
        if let Some(user) = user {
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        let mut postgres =
            Self { folder, port: free_port()?, user, server: None, databases: AtomicU32::new(0) };
        let mut initdb = postgres.command("initdb")?;
        initdb.args([
            "--username=agcluster",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        let done = initdb.arg("--pgdata").arg(postgres.data()).output().await?;
        ensure!(done.status.success(), "initdb failed: {}", String::from_utf8_lossy(&done.stderr));
        postgres.run().await?;
        Ok(postgres)
    }

    /// The address of its first database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes another database and gives its address.
    ///
    /// # Errors
    /// The server's.
    pub async fn new_database(&self) -> anyhow::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url()).await?;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
        connection.close().await?;
        Ok(self.url_of(&name))
    }

    /// Stops the server, which ends all connections at once. Stopping what is stopped is success.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        if let Some(pid) = server.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            // PostgreSQL's "fast" way: ends connections, writes everything down.
            rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        }
        tokio::time::timeout(LIMIT, server.wait()).await.context("PostgreSQL does not stop")??;
        Ok(())
    }

    /// Stops the server and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await?;
        self.run().await
    }

    /// Starts the server after a [`stop`](Self::stop).
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        let mut server = self.command("postgres")?;
        server
            .arg("-D")
            .arg(self.data())
            .arg("-p")
            .arg(self.port.to_string())
            .arg("-k")
            .arg(self.folder.path());
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on", "-c", "lc_messages=C"]);
        let mut server = server.stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(server.stderr.take().context("the server has no log")?).lines();
        let ready = async {
            let mut said = Vec::new();
            while let Some(line) = log.next_line().await? {
                if line.contains(READY) {
                    return Ok(());
                }
                said.push(line);
            }
            anyhow::bail!("PostgreSQL did not start: {}", said.join("; "))
        };
        tokio::time::timeout(LIMIT, ready).await.context("PostgreSQL does not start")??;
        // It goes on talking, and would stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        self.server = Some(server);
        Ok(())
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://agcluster@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of PostgreSQL's programs, as a user that it accepts.
    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(programs()?.join(program));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command.current_dir(self.folder.path());
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        Ok(command)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let pid = self.server.as_ref().and_then(Child::id);
        if let Some(pid) = pid.and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            // PostgreSQL's way to end at once; SIGKILL would leave its shared memory behind. Waited for, since it writes
            // into the folder that is removed next.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
    }
}

/// The folder of the newest version that is installed.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).into_iter().flatten().flatten();
    let folders = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        folder.join("initdb").is_file().then_some((version, folder))
    });
    let newest = folders.max().map(|(_, folder)| folder);
    newest.context("PostgreSQL is not installed; on Debian: sudo apt-get install postgresql")
}

/// The user that Debian's package brings.
fn unprivileged() -> anyhow::Result<User> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let user = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    user("postgres").or_else(|| user("nobody")).context("there is no unprivileged user to run PostgreSQL")
}
