//! A terminal as a client sees it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Api, Session};

/// Everything here takes a moment; on a busy machine it may take a while.
const LIMIT: Duration = Duration::from_secs(60);

/// A WebSocket to a terminal, and what was to be seen on it.
#[derive(Debug)]
pub struct Screen {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The output so far.
    pub text: String,
    frames: Vec<Value>,
    closed: Option<(u16, String)>,
}

/// A token for a terminal of a session.
///
/// # Errors
/// When it is refused, or is another's.
pub async fn token(api: &Api, session: &str, terminal: &str) -> anyhow::Result<String> {
    let path = format!("/api/agents/{session}/terminal/token");
    let answer = api.post(&path, json!({ "terminal": terminal })).await?;
    ensure!(answer.status == 200, "{}", answer.body);
    ensure!(answer.body["terminal"] == terminal && answer.body["session_id"] == session, "{}", answer.body);
    Ok(answer.body["token"].as_str().context("there is no token")?.to_owned())
}

/// A request for a WebSocket.
///
/// # Errors
/// When the path cannot be in a URL.
pub fn request(api: &Api, path: &str) -> anyhow::Result<Request> {
    Ok(api.url(path).replacen("http", "ws", 1).into_client_request()?)
}

/// The same with a token, as programs send it.
///
/// # Errors
/// When the token cannot be in a header.
pub fn with_bearer(mut request: Request, token: &str) -> anyhow::Result<Request> {
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(request)
}

/// What keeps a connection from becoming a WebSocket: status and code.
///
/// # Errors
/// When nothing does, or it is said without a sentence.
pub async fn refused(request: Request) -> anyhow::Result<(u16, String)> {
    match connect_async(request).await {
        Err(Error::Http(response)) => {
            let body: Value =
                serde_json::from_slice(response.body().as_ref().context("it is refused without a word")?)?;
            ensure!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
            Ok((response.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned()))
        }
        other => bail!("it was let in: {:?}", other.map(|(_, response)| response)),
    }
}

impl Screen {
    /// Opens a terminal of a session.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open(api: &Api, session: &Session, terminal: &str) -> anyhow::Result<Self> {
        Self::open_with(api, &session.id, terminal, "").await
    }

    /// The same with a query string.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn open_with(api: &Api, session: &str, terminal: &str, query: &str) -> anyhow::Result<Self> {
        let token = token(api, session, terminal).await?;
        let path = format!("/api/agents/{session}/terminal{query}");
        Self::connect(with_bearer(request(api, &path)?, &token)?).await
    }

    /// Opens what is asked for.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn connect(request: Request) -> anyhow::Result<Self> {
        let (socket, _) = tokio::time::timeout(LIMIT, connect_async(request)).await??;
        Ok(Self { socket, text: String::new(), frames: Vec::new(), closed: None })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn send(&mut self, frame: Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }

    /// Types.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn write(&mut self, text: &str) -> anyhow::Result<()> {
        self.send(json!({ "type": "data", "data": text })).await
    }

    /// Takes the next message; false at the end.
    async fn step(&mut self) -> anyhow::Result<bool> {
        match tokio::time::timeout(LIMIT, self.socket.next()).await.context("nothing more is to be seen")? {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text)?;
                if frame["type"] == "data" {
                    self.text.push_str(frame["data"].as_str().context("data is a text")?);
                }
                self.frames.push(frame);
            }
            Some(Ok(Message::Close(frame))) => {
                let CloseFrame { code, reason } = frame.context("it is closed without a reason")?;
                self.closed = Some((code.into(), reason.to_string()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Ok(false),
        }
        Ok(true)
    }

    /// Reads on until this is to be seen.
    ///
    /// # Errors
    /// When it does not come to be seen.
    pub async fn until(&mut self, wanted: &str) -> anyhow::Result<()> {
        let seen = tokio::time::timeout(LIMIT, async {
            while !self.text.contains(wanted) {
                ensure!(self.step().await?, "the socket ended");
            }
            Ok(())
        });
        let seen = seen.await.map_err(anyhow::Error::from).flatten();
        seen.with_context(|| format!("there is no {wanted:?} to be seen: {:?}", self.text))
    }

    /// Reads on until a frame of this type, and gives it.
    ///
    /// # Errors
    /// When none comes.
    pub async fn frame(&mut self, kind: &str) -> anyhow::Result<Value> {
        let mut looked_at = 0;
        loop {
            if let Some(found) = self.frames[looked_at..].iter().find(|frame| frame["type"] == kind) {
                return Ok(found.clone());
            }
            looked_at = self.frames.len();
            ensure!(self.step().await?, "the socket ended without {kind}: {:?}", self.frames);
        }
    }

    /// Reads to the end; the code and the reason of the close.
    ///
    /// # Errors
    /// When it does not come, or without a close.
    pub async fn end(&mut self) -> anyhow::Result<(u16, String)> {
        while self.step().await? {}
        self.closed.clone().context("the socket ended without a close")
    }

    /// The offset behind all that was seen.
    pub fn offset(&self) -> Option<u64> {
        self.frames.iter().rev().find_map(|frame| frame["offset"].as_u64())
    }

    /// Goes away.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn leave(mut self) -> anyhow::Result<()> {
        self.socket.close(None).await?;
        while self.step().await? {}
        Ok(())
    }
}
