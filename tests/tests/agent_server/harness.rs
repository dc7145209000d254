//! An agent server, and a client of it.

use std::future::Future;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agcluster_protocol::{
    Accepted, Configured, Event, EventBody, Liveness, Outcome, Problem, PromptId, TurnId,
};
use agcluster_tests::model_api::{ModelApi, Options};
use agcluster_tests::system::needed;
use anyhow::{Context, bail, ensure};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Everything here takes a second or two; on a busy machine it may take a while.
const LIMIT: Duration = Duration::from_secs(60);
const TOKEN: &str = "the-token-of-this-test";
/// The SHA-256 of [`TOKEN`].
const TOKEN_DIGEST: &str = "0a261aa6b398b5917b6da43ae78af1ccadfaf93bfae03102ffee853576271e6d";
/// A user that is not root, with or without an entry in the system's list.
pub(crate) const USER: u32 = 1000;

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(LIMIT, future).await.with_context(|| format!("waiting for {what}"))
}

/// Whether this test runs as root, and so can have processes of other users.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// An agent server with its folder, and the model behind it.
pub(crate) struct Agent {
    pub(crate) model: ModelApi,
    pub(crate) folder: TempDir,
    pub(crate) process: Child,
    /// The key of the model, this test's alone.
    pub(crate) key: String,
    base: String,
    client: Client,
}

impl Agent {
    /// Starts an agent server. As root, it runs its agent as another user.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_as(None).await
    }

    /// Starts an agent server that is not root, and so runs its agent as its own user. Only root can ask for that.
    pub(crate) async fn start_as(user: Option<u32>) -> anyhow::Result<Self> {
        Self::start_by(user, |program| Command::new(program)).await
    }

    /// The same, started by a command that runs it.
    pub(crate) async fn start_by(
        user: Option<u32>,
        by: impl FnOnce(&PathBuf) -> Command,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        // Where others may run it, wherever it was built. Copied by another process: a file that is open for writing
        // here could not be run while some other test starts a program, which inherits it.
        let binary = folder.path().join("agcluster-agent");
        let built = needed("AGCLUSTER_AGENT_BINARY")?;
        let copied = Command::new("cp").arg(&built).arg(&binary).status().await?;
        ensure!(copied.success(), "{built} cannot be copied");
        for name in ["workspace", "run"] {
            std::fs::create_dir(folder.path().join(name))?;
            if is_root() {
                chown(folder.path().join(name), Some(user.unwrap_or(USER)), Some(user.unwrap_or(USER)))?;
            }
        }
        let port_file = folder.path().join("run/port");
        let mut command = by(&binary);
        command
            .args(["--listen", "127.0.0.1:0", "--port-file"])
            .arg(&port_file)
            .arg("--workspace")
            .arg(folder.path().join("workspace"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").context("PATH is not set")?)
            .env("AGCLUSTER_TOKEN_SHA256", TOKEN_DIGEST)
            .env("AGCLUSTER_CLAUDE", needed("AGCLUSTER_CLAUDE")?)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let process = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
        let key = format!("sk-ant-test-{}", uuid::Uuid::new_v4());
        let model = ModelApi::start(Options { api_keys: vec![key.clone()], ..Options::default() }).await?;
        let port = soon("the port", port(&port_file)).await??;
        // Ignored because it fails only when one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { model, folder, process, key, base: format!("http://127.0.0.1:{port}"), client })
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Configures it for Claude. `options` are merged into those that every test has.
    pub(crate) async fn configure(&self, options: Value) -> anyhow::Result<Configured> {
        self.configure_with(options, None).await
    }

    pub(crate) async fn configure_with(
        &self,
        options: Value,
        resume: Option<&str>,
    ) -> anyhow::Result<Configured> {
        self.configure_at(&self.model.url_for("127.0.0.1"), options, resume).await
    }

    pub(crate) async fn configure_at(
        &self,
        base_url: &str,
        options: Value,
        resume: Option<&str>,
    ) -> anyhow::Result<Configured> {
        self.configure_as(json!({
            "options": options,
            "model_access": {"base_url": base_url, "api_key": self.key},
            "resume": resume,
        }))
        .await
    }

    /// Configures it for Claude with whatever fields; `options` are merged into those that every test has.
    pub(crate) async fn configure_as(&self, fields: Value) -> anyhow::Result<Configured> {
        let mut options =
            json!({"model": "claude-sonnet-4-5", "allowed_tools": ["Bash", "Read", "Write", "Edit"]});
        let access = json!({"base_url": self.model.url_for("127.0.0.1"), "api_key": self.key});
        let mut all = json!({"session": "s", "generation": 1, "driver": "claude", "model_access": access});
        if let (Some(all), Some(options), Value::Object(mut fields)) =
            (all.as_object_mut(), options.as_object_mut(), fields)
        {
            if let Some(Value::Object(more)) = fields.remove("options") {
                options.extend(more);
            }
            all.extend(fields);
        }
        all["options"] = options;
        answer(self.post("/configure").json(&all).send().await?).await
    }

    pub(crate) async fn liveness(&self) -> anyhow::Result<Liveness> {
        let request = self.client.get(format!("{}/liveness", self.base)).bearer_auth(TOKEN);
        answer(request.send().await?).await
    }

    /// Asks again and again until it is as wanted.
    pub(crate) async fn live(
        &self,
        what: &str,
        wanted: impl Fn(&Liveness) -> bool,
    ) -> anyhow::Result<Liveness> {
        soon(what, async {
            loop {
                let liveness = self.liveness().await?;
                if wanted(&liveness) {
                    return Ok(liveness);
                }
                tokio::task::yield_now().await;
            }
        })
        .await?
    }

    pub(crate) async fn restart_program(&self) -> anyhow::Result<Configured> {
        answer(self.post("/restart-program").json(&json!({"generation": 1})).send().await?).await
    }

    pub(crate) async fn acknowledge(&self, seq: u64) -> anyhow::Result<()> {
        done(self.post("/ack").json(&json!({"generation": 1, "seq": seq})).send().await?).await
    }

    /// Adds a prompt to the turn that runs.
    pub(crate) async fn steer(&self, id: PromptId, text: &str) -> anyhow::Result<Accepted> {
        let turn = self.liveness().await?.turn.context("no turn runs")?.id;
        let steer =
            json!({"id": id, "turn": turn, "generation": 1, "prompt": [{"type": "text", "text": text}]});
        answer(self.post("/steer").json(&steer).send().await?).await
    }

    /// Every event after a cursor, live ones too.
    pub(crate) async fn events(&self, after: u64) -> anyhow::Result<Turn> {
        let request = self.client.get(format!("{}/events?after={after}", self.base)).bearer_auth(TOKEN);
        Turn::of(request.send().await?).await
    }

    /// Every event there is now.
    pub(crate) async fn all_events(&self) -> anyhow::Result<Vec<Event>> {
        let newest = self.liveness().await?.events.newest;
        let mut stream = self.events(0).await?;
        soon("all events", async {
            let mut events = Vec::new();
            while events.len() < newest as usize {
                events.push(stream.next().await?.context("the stream ended")?);
            }
            Ok(events)
        })
        .await?
    }

    /// Whether a word was in what the model was last asked.
    pub(crate) fn remembers(&self, word: &str) -> bool {
        let last = self.model.requests().into_iter().rev().find(|request| request.is_messages());
        last.is_some_and(|request| request.json().to_string().contains(word))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(TOKEN)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) async fn answer(&self, body: Value) -> anyhow::Result<()> {
        done(self.post("/answer").json(&body).send().await?).await
    }

    pub(crate) async fn settings(&self, body: Value) -> anyhow::Result<()> {
        done(self.post("/settings").json(&body).send().await?).await
    }

    pub(crate) async fn interrupt(&self) -> anyhow::Result<()> {
        let _: Value = answer(self.post("/interrupt").send().await?).await?;
        Ok(())
    }

    /// Begins a turn.
    pub(crate) async fn prompt(&self, text: &str) -> anyhow::Result<Turn> {
        let query =
            json!({"turn": TurnId::generate(), "generation": 1, "prompt": [{"type": "text", "text": text}]});
        let request = self.post("/query").header("accept", "text/event-stream").json(&query);
        Turn::of(request.send().await?).await
    }

    /// A turn that needs no help, to its end.
    pub(crate) async fn turn(&self, text: &str) -> anyhow::Result<Vec<Event>> {
        let mut turn = self.prompt(text).await?;
        soon("the end of the turn", turn.rest()).await?
    }

    /// Tells it to end and waits until it has; nothing of it may be left.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.id();
        let below = below(id);
        ensure!(
            std::process::Command::new("kill").arg(id.to_string()).status()?.success(),
            "cannot be told to end"
        );
        let status = soon("the end of the agent server", self.process.wait()).await??;
        ensure!(status.code() == Some(0), "the agent server ended with {status}");
        let left: Vec<_> = below.into_iter().filter(|process| is_alive(*process)).collect();
        ensure!(left.is_empty(), "processes are left behind: {left:?}");
        self.model.assert_clean();
        self.model.stop().await;
        Ok(())
    }
}

async fn port(file: &Path) -> anyhow::Result<u16> {
    loop {
        match std::fs::read_to_string(file) {
            Ok(port) => return Ok(port.trim().parse()?),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn answer<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        let problem: Problem = serde_json::from_str(&text)?;
        bail!("{status} {}: {}", problem.code, problem.detail);
    }
    Ok(serde_json::from_str(&text)?)
}

async fn done(response: Response) -> anyhow::Result<()> {
    if response.status() == 204 { Ok(()) } else { answer(response).await }
}

/// A turn as it streams by.
pub(crate) struct Turn {
    response: Response,
    rest: String,
}

impl Turn {
    async fn of(response: Response) -> anyhow::Result<Self> {
        if response.status() == 200 {
            return Ok(Self { response, rest: String::new() });
        }
        answer::<Value>(response).await?;
        bail!("no stream")
    }

    /// The next event; nothing at the end of the turn.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                let data =
                    frame.split_once("data: ").map(|(_, data)| serde_json::from_str(data)).transpose()?;
                self.rest = rest.to_owned();
                match data {
                    Some(event) => return Ok(Some(event)),
                    None => continue,
                }
            }
            let Some(bytes) = self.response.chunk().await? else { return Ok(None) };
            self.rest.push_str(std::str::from_utf8(&bytes)?);
        }
    }

    /// Reads on until an event that `wanted` takes something from.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> anyhow::Result<T> {
        soon(what, async {
            while let Some(event) = self.next().await? {
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
            bail!("the turn ended before {what}")
        })
        .await?
    }

    pub(crate) async fn rest(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// How it ends.
    pub(crate) async fn end(&mut self) -> anyhow::Result<Outcome> {
        let events = soon("the end of the turn", self.rest()).await??;
        Ok(outcome(&events)?.clone())
    }
}

pub(crate) fn outcome(events: &[Event]) -> anyhow::Result<&Outcome> {
    match events.last().map(|event| &event.body) {
        Some(EventBody::TurnEnded(end)) => Ok(&end.outcome),
        last => bail!("the last event is {last:?}"),
    }
}

/// The content of the only tool result.
pub(crate) fn tool_result(events: &[Event]) -> anyhow::Result<String> {
    let results = events.iter().filter_map(|event| match &event.body {
        EventBody::ToolResult { content, .. } if event.parent.is_none() => {
            Some(content.as_str().map_or_else(|| content.to_string(), str::to_owned))
        }
        _ => None,
    });
    let mut results: Vec<String> = results.collect();
    ensure!(results.len() == 1, "there are {} tool results: {results:?}", results.len());
    Ok(results.remove(0))
}

/// All processes below one.
pub(crate) fn below(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(processes().into_iter().filter(|(_, of)| *of == parent).map(|(id, _)| id));
        next += 1;
    }
    found.split_off(1)
}

/// Id and parent of every process that is not dead.
fn processes() -> Vec<(u32, u32)> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| Some((id, parent(id)?))).collect()
}

fn parent(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    if fields.next()? == "Z" { None } else { fields.next()?.parse().ok() }
}

/// Whether a process has not ended, and may not be waited for yet: its first thread may be gone before the others.
pub(crate) fn is_alive(id: u32) -> bool {
    parent(id).is_some() || std::fs::read_dir(format!("/proc/{id}/task")).is_ok_and(|tasks| tasks.count() > 1)
}
