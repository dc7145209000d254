//! The server as a program: its environment, its logs, its end, and its end against its will.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agcluster_core::provider::LABEL_CLUSTER;
use agcluster_tests::model_api::{ModelApi, Options};
use agcluster_tests::system::{Api, Session};
use bollard::Docker;
use bollard::query_parameters::ListContainersOptions;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

const KEY: &str = "sk-ant-test-c0ffee11";
const MCP_SECRET: &str = "mcp-test-5eC2e7";
/// One step takes seconds; one that takes so long hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A server in a folder of its own, which has its `.env`.
struct Program {
    child: Child,
    base: String,
    /// What it writes from then on is read at once: it would wait for that.
    log: JoinHandle<String>,
}

/// The program that this workspace built beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("agcluster-server")
}

impl Program {
    async fn start(folder: &Path) -> Self {
        let mut child = Command::new(program())
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // The server says where it listens; the port was left to the system.
        let base = loop {
            let line = lines.next_line().await.unwrap().expect("the server ended before it listened");
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["fields"]["message"] == "listening" {
                break format!("http://{}", event["fields"]["address"].as_str().unwrap());
            }
        };
        let log = tokio::spawn(async move {
            let mut log = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                log += &line;
                log.push('\n');
            }
            log
        });
        Self { child, base, log }
    }

    async fn launch(&self, config: serde_json::Value) -> Session {
        Api::new(self.base.clone(), KEY).launch(config).await.unwrap()
    }

    /// The same session at this server.
    fn session(&self, session: &Session) -> Session {
        Api::new(self.base.clone(), KEY).session(&session.id)
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Everything it wrote from here on, and whether it ended well.
    async fn end(mut self) -> (String, bool) {
        let log = self.log.await.unwrap();
        (log, self.child.wait().await.unwrap().success())
    }
}

fn folder(cluster: &str, model: Option<&ModelApi>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url =
        model.map_or_else(|| "http://127.0.0.1:9".to_owned(), |model| model.url_for("host.docker.internal"));
    let settings = format!(
        "API_PORT=0\nLOG_JSON=true\nLOG_LEVEL=trace\nAGCLUSTER_CLUSTER={cluster}\nANTHROPIC_BASE_URL={url}\nAGCLUSTER_DATA_DIR=data\n\
         FLY_API_TOKEN=unknown-here\nSOMETHING_ELSE=\"also fine\"\n"
    );
    std::fs::write(folder.path().join(".env"), settings).unwrap();
    folder
}

/// The files of a server that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let data = std::fs::read_dir(folder.join("data")).unwrap();
    let files = data.map(|entry| entry.unwrap().path());
    let holds = |file: &PathBuf| {
        std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    };
    files.filter(holds).map(|file| file.display().to_string()).collect()
}

fn add_setting(folder: &tempfile::TempDir, line: &str) {
    let file = folder.path().join(".env");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("{settings}{line}\n")).unwrap();
}

async fn containers(cluster: &str) -> Vec<String> {
    let docker = Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap();
    let filters = Some(HashMap::from([("label".to_owned(), vec![format!("{LABEL_CLUSTER}={cluster}")])]));
    let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
    docker
        .list_containers(Some(options))
        .await
        .unwrap()
        .into_iter()
        .filter_map(|container| container.id)
        .collect()
}

fn cluster() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

#[tokio::test]
async fn a_server_that_was_killed_finds_its_sessions_again() {
    let cluster = cluster();
    let folder = folder(&cluster, None);
    let server = Program::start(folder.path()).await;
    let session = server.launch(json!({ "driver": "scripted" })).await;
    let mut chat = session.chat("@@say begun\n@@gate go\n@@say done").await.unwrap();
    chat.until("content").await.unwrap();
    let before = session.get().await.unwrap().body;
    server.signal("-KILL");
    assert!(!server.end().await.1);

    let server = Program::start(folder.path()).await;
    let session = server.session(&session);
    let mut events = session.events(0).await.unwrap();
    // It may have been asked while nobody was there.
    events.until("question_asked").await.unwrap();
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    let answered = session.post("answer", answer).await.unwrap();
    assert!(answered.status.is_success(), "{}", answered.body);
    events.until("turn_ended").await.unwrap();
    let after = session.get().await.unwrap().body;
    assert_eq!(after["turn"], serde_json::Value::Null);
    assert_eq!((&before["generation"], &before["created_at"]), (&after["generation"], &after["created_at"]));
    assert_eq!(containers(&cluster).await.len(), 1, "no container was made or lost");
    session.delete().await.unwrap();
    server.signal("-TERM");
    let (log, well) = server.end().await;
    assert!(well, "{log}");
    assert!(containers(&cluster).await.is_empty());
}

#[tokio::test]
async fn a_server_that_is_told_to_end_lets_its_sessions_go_on() {
    let cluster = cluster();
    let folder = folder(&cluster, None);
    let server = Program::start(folder.path()).await;
    let session = server.launch(json!({ "driver": "scripted" })).await;
    let mut chat = session.chat("@@say begun\n@@hang").await.unwrap();
    chat.until("content").await.unwrap();
    server.signal("-TERM");
    let (log, well) = tokio::time::timeout(LIMIT, server.end()).await.unwrap();
    assert!(well, "{log}");
    assert_eq!(containers(&cluster).await.len(), 1);

    let server = Program::start(folder.path()).await;
    Api::new(server.base.clone(), KEY).adopted().await.unwrap();
    let session = server.session(&session);
    assert!(session.post("interrupt", json!({})).await.unwrap().status.is_success());
    session.events(0).await.unwrap().until("turn_ended").await.unwrap();
    session.delete().await.unwrap();
    server.signal("-TERM");
    assert!(server.end().await.1);
    assert!(containers(&cluster).await.is_empty());
}

#[tokio::test]
async fn a_server_that_shall_leave_nothing_removes_its_sessions_first() {
    let cluster = cluster();
    let folder = folder(&cluster, None);
    add_setting(&folder, "AGCLUSTER_ON_SHUTDOWN=remove");
    let server = Program::start(folder.path()).await;
    let session = server.launch(json!({ "driver": "scripted" })).await;
    let mut chat = session.chat("@@say begun\n@@hang").await.unwrap();
    chat.until("content").await.unwrap();
    server.signal("-TERM");
    let frames = chat.rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["code"], "session_stopped");
    let (log, well) = tokio::time::timeout(LIMIT, server.end()).await.unwrap();
    assert!(well, "{log}");
    assert!(containers(&cluster).await.is_empty());
}

#[tokio::test]
async fn the_environment_says_how_long_sessions_live() {
    let folder = folder(&cluster(), None);
    for line in [
        "CONTAINER_PROVIDER=memory",
        "SESSION_IDLE_TIMEOUT=0",
        "SESSION_MAX_LIFETIME=15",
        "SESSION_CLEANUP_INTERVAL=1",
    ] {
        add_setting(&folder, line);
    }
    let server = Program::start(folder.path()).await;
    let session = server.launch(json!({ "driver": "scripted" })).await;
    let chat = session.chat("@@say begun\n@@hang").await.unwrap();
    let frames = tokio::time::timeout(LIMIT, chat.rest()).await.unwrap().unwrap();
    assert_eq!(frames.last().unwrap().data["code"], "session_stopped");
    server.signal("-TERM");
    assert!(server.end().await.1);
}

#[tokio::test]
async fn a_second_server_on_the_same_database_does_not_start() {
    let folder = folder(&cluster(), None);
    let first = Program::start(folder.path()).await;
    let output = Command::new(program()).current_dir(folder.path()).env_clear().output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("is in use by another server") && text.contains("DATABASE_URL"), "{text}");
    first.signal("-TERM");
    assert!(first.end().await.1);
}

#[tokio::test]
async fn a_database_that_is_newer_than_the_program_is_refused_in_one_sentence() {
    let folder = folder(&cluster(), None);
    let server = Program::start(folder.path()).await;
    server.signal("-TERM");
    assert!(server.end().await.1);
    let file = folder.path().join("data/agcluster.db").display().to_string();
    let mut database = SqliteConnection::connect(&format!("sqlite://{file}")).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (999, 'later', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let output = Command::new(program()).current_dir(folder.path()).env_clear().output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    // What is no log is for whoever started it.
    let words: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(
        matches!(words[..], [one] if one.contains("999") && one.contains("use the newer program")),
        "{text}"
    );
}

#[tokio::test]
async fn neither_the_log_nor_the_database_has_a_key_however_much_is_logged_and_kept() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let model = ModelApi::start(Options { listen, ..Options::default() }).await.unwrap();
    let cluster = cluster();
    let folder = folder(&cluster, Some(&model));
    let server = Program::start(folder.path()).await;
    let config = json!({
        "allowed_tools": ["Bash"], "model": "claude-sonnet-4-5",
        "env": { "DEPLOY_KEY": MCP_SECRET },
        "mcp_servers": { "absent": { "command": "/nonexistent", "env": { "TOKEN": MCP_SECRET } } },
    });
    let session = server.launch(config).await;
    assert_eq!(session.ask("@@text hello").await.unwrap().body["content"], "hello");
    assert!(model.requests().iter().any(|request| request.api_key() == Some(KEY)), "the key was used");
    server.signal("-TERM");
    let (log, well) = server.end().await;
    assert!(well && log.contains("\"level\":\"TRACE\""), "{log}");
    let shown: Vec<&str> =
        log.lines().filter(|line| line.contains(KEY) || line.contains(MCP_SECRET)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert!(
        holding(folder.path(), "hello").iter().any(|file| file.contains("agcluster.db")),
        "events are kept"
    );
    assert_eq!(holding(folder.path(), KEY), [""; 0]);
    assert_eq!(holding(folder.path(), MCP_SECRET), [""; 0]);

    let server = Program::start(folder.path()).await;
    server.session(&session).delete().await.unwrap();
    server.signal("-TERM");
    assert!(server.end().await.1);
    model.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_in_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = |arguments: Vec<String>| async move {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(program())
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("AGCLUSTER_DATA_DIR", "data")
            .output()
            .await
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(vec!["--port".into(), port]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("cannot be listened on") && text.contains("API_PORT"), "{text}");
    let (code, text) = run(vec!["--port=0".into(), "--container-provider=vercle".into()]).await;
    assert_eq!(code, Some(1));
    assert!(
        text.contains("there is no provider \"vercle\"; available: cloudflare, docker, fly_machines"),
        "{text}"
    );
    for (url, word) in
        [("postgres://u:hush-51@127.0.0.1:9/none", "PostgreSQL"), ("mysql://u:hush-51@db/x", "sqlite:///")]
    {
        let (code, text) = run(vec!["--port=0".into(), format!("--database-url={url}")]).await;
        assert_eq!(code, Some(1));
        assert!(text.contains("DATABASE_URL") && text.contains(word) && !text.contains("hush-51"), "{text}");
        assert_eq!(text.trim().lines().count(), 1, "{text}");
    }
    let (code, text) = run(vec!["--container-memory-limit=4 gigs".into()]).await;
    assert_eq!(code, Some(2));
    assert!(text.contains("is no size"), "{text}");
}
