//! A terminal as a client sees it.

use agcluster_tests::system::{Api, Session};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::soon;

/// A WebSocket to a terminal, and what was to be seen on it.
pub(crate) struct Screen {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) text: String,
    pub(crate) frames: Vec<Value>,
    pub(crate) closed: Option<(u16, String)>,
}

/// A token for a terminal of a session.
pub(crate) async fn token(api: &Api, session: &str, terminal: &str) -> String {
    let path = format!("/api/agents/{session}/terminal/token");
    let answer = api.post(&path, json!({ "terminal": terminal })).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((&answer.body["terminal"], &answer.body["session_id"]), (&json!(terminal), &json!(session)));
    answer.body["token"].as_str().unwrap().to_owned()
}

/// A request for a WebSocket.
pub(crate) fn request(api: &Api, path: &str) -> Request {
    api.url(path).replacen("http", "ws", 1).into_client_request().unwrap()
}

/// The same with a token, as programs send it.
pub(crate) fn with_bearer(mut request: Request, token: &str) -> Request {
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// What keeps a connection from becoming a WebSocket: status and code.
pub(crate) async fn refused(request: Request) -> (u16, String) {
    match connect_async(request).await {
        Err(Error::Http(response)) => {
            let body: Value = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
            assert!(body["detail"].as_str().unwrap().len() > 10, "{body}");
            (response.status().as_u16(), body["code"].as_str().unwrap().to_owned())
        }
        other => panic!("it was let in: {:?}", other.map(|(_, response)| response)),
    }
}

impl Screen {
    /// Opens a terminal of a session.
    pub(crate) async fn open(api: &Api, session: &Session, terminal: &str) -> Self {
        Self::open_with(api, &session.id, terminal, "").await
    }

    /// The same with a query string.
    pub(crate) async fn open_with(api: &Api, session: &str, terminal: &str, query: &str) -> Self {
        let token = token(api, session, terminal).await;
        let path = format!("/api/agents/{session}/terminal{query}");
        Self::connect(with_bearer(request(api, &path), &token)).await
    }

    pub(crate) async fn connect(request: Request) -> Self {
        let (socket, _) = soon(connect_async(request)).await.unwrap();
        Self { socket, text: String::new(), frames: Vec::new(), closed: None }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.send(json!({ "type": "data", "data": text })).await;
    }

    /// Takes the next message; false at the end.
    pub(crate) async fn step(&mut self) -> bool {
        match soon(self.socket.next()).await {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["type"] == "data" {
                    self.text.push_str(frame["data"].as_str().unwrap());
                }
                self.frames.push(frame);
            }
            Some(Ok(Message::Close(frame))) => {
                let CloseFrame { code, reason } = frame.unwrap();
                self.closed = Some((code.into(), reason.to_string()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return false,
        }
        true
    }

    /// Reads on until this is to be seen.
    pub(crate) async fn until(&mut self, wanted: &str) {
        let seen = tokio::time::timeout(super::LIMIT, async {
            while !self.text.contains(wanted) {
                assert!(self.step().await, "the socket ended without {wanted:?}: {:?}", self.text);
            }
        });
        assert!(seen.await.is_ok(), "there is no {wanted:?} to be seen: {:?}", self.text);
    }

    /// Reads on until a frame of this type, and gives it.
    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        let mut looked_at = 0;
        loop {
            if let Some(found) = self.frames[looked_at..].iter().find(|frame| frame["type"] == kind) {
                return found.clone();
            }
            looked_at = self.frames.len();
            assert!(self.step().await, "the socket ended without {kind}: {:?}", self.frames);
        }
    }

    /// Reads to the end; the code and the reason of the close.
    pub(crate) async fn end(&mut self) -> (u16, String) {
        soon(async { while self.step().await {} }).await;
        self.closed.clone().unwrap()
    }

    /// The offset behind all that was seen.
    pub(crate) fn offset(&self) -> u64 {
        self.frames.iter().rev().find_map(|frame| frame["offset"].as_u64()).unwrap()
    }

    /// Goes away.
    pub(crate) async fn leave(mut self) {
        self.socket.close(None).await.unwrap();
        while self.step().await {}
    }
}
