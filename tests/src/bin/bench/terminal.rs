//! From a key to its echo: through the server's WebSocket, and through the engine's own `exec`, in one container. A key goes this
//! way, then that way, so that both see the same machine.

use std::pin::Pin;
use std::time::Instant;

use agcluster_core::provider::LABEL_SESSION;
use agcluster_tests::system::{Api, Session};
use anyhow::{Context, Result, bail, ensure};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::bare;
use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// Keys for each run.
const KEYS: usize = 20;
/// The program that the keys are typed into: the terminal itself echoes them.
const PROGRAM: &str = "echo go-$((40+2)); exec cat";
/// What it says when it is there.
const READY: &str = "go-42";

/// What a key may cost over the engine's own way, in seconds.
const TARGET: f64 = 0.005;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    let found = bare::labelled(&stage.engine, &format!("{LABEL_SESSION}={}", session.id)).await?;
    let container = found.first().context("the session has no container")?;
    let mut ours = Ours::open(&api, &session).await?;
    let mut theirs = Theirs::open(&stage.engine, container).await?;
    let (mut through, mut floor) = (Samples::default(), Samples::default());
    for nth in 0..stage.options.runs {
        progress(&format!("terminal {} of {}", nth + 1, stage.options.runs));
        for _ in 0..KEYS {
            let begun = Instant::now();
            soon("an echo", STEP, ours.key()).await?;
            through.push_time(begun.elapsed());
            let begun = Instant::now();
            soon("an echo", STEP, theirs.key()).await?;
            floor.push_time(begun.elapsed());
        }
    }
    let answer = soon("a removal", STEP, session.delete()).await?;
    ensure!(answer.status.is_success(), "a removal was answered {}", answer.status);
    Ok(vec![
        Figure::new("terminal: key to echo", Unit::Milliseconds, through)
            .over("docker exec", &floor)
            .at_most(TARGET),
    ])
}

/// The way through the server.
struct Ours(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Ours {
    async fn open(api: &Api, session: &Session) -> Result<Self> {
        let path = format!("/api/agents/{}/terminal/token", session.id);
        let answer = api.post(&path, json!({})).await?;
        let token = answer.body["token"].as_str().context("there is no token")?;
        let mut request = api.url("/ws/terminal").replacen("http", "ws", 1).into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let mut ours = Self(soon("a terminal", STEP, async { Ok(connect_async(request).await?) }).await?.0);
        ours.write(&format!("{PROGRAM}\r")).await?;
        soon("the program", STEP, ours.until(READY)).await?;
        Ok(ours)
    }

    async fn write(&mut self, text: &str) -> Result<()> {
        Ok(self.0.send(Message::text(json!({ "type": "data", "data": text }).to_string())).await?)
    }

    async fn key(&mut self) -> Result<()> {
        self.write("x").await?;
        self.until("x").await
    }

    async fn until(&mut self, wanted: &str) -> Result<()> {
        let mut seen = String::new();
        while let Some(message) = self.0.next().await {
            let Message::Text(text) = message? else { continue };
            let frame: Value = serde_json::from_str(&text)?;
            if frame["type"] == "data" {
                seen.push_str(frame["data"].as_str().unwrap_or_default());
            }
            if seen.contains(wanted) {
                return Ok(());
            }
        }
        bail!("the terminal ended")
    }
}

/// The engine's own way.
struct Theirs {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
}

impl Theirs {
    async fn open(engine: &Docker, container: &str) -> Result<Self> {
        let command = ["sh", "-c", PROGRAM].map(str::to_owned).to_vec();
        let options = CreateExecOptions {
            cmd: Some(command),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            tty: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = engine.create_exec(container, options).await?;
        let start = StartExecOptions { tty: true, ..StartExecOptions::default() };
        let StartExecResults::Attached { input, output } = engine.start_exec(&exec.id, Some(start)).await?
        else {
            bail!("the engine does not attach to a command")
        };
        let mut theirs = Self { input, output: output.boxed() };
        soon("the program", STEP, theirs.until(READY)).await?;
        Ok(theirs)
    }

    async fn key(&mut self) -> Result<()> {
        self.input.write_all(b"x").await?;
        self.input.flush().await?;
        self.until("x").await
    }

    async fn until(&mut self, wanted: &str) -> Result<()> {
        let mut seen = String::new();
        while let Some(output) = self.output.next().await {
            seen.push_str(&String::from_utf8_lossy(&output?.into_bytes()));
            if seen.contains(wanted) {
                return Ok(());
            }
        }
        bail!("the command ended")
    }
}
