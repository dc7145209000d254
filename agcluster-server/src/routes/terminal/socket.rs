//! One WebSocket: what is on the terminal to the client, what is typed to the terminal.
//!
//! Neither direction keeps more than a little: a client that does not read misses output, and is told so; a terminal that does not
//! read lets the client wait.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::protocol::workspace::{TERMINAL_BLOCKED, TERMINAL_ENDED, Terminal, TerminalFrame};
use agcluster_core::session::{Session, SessionError};
use agcluster_core::workspace::{TerminalView, TextPieces, Workspace};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;

use super::frames::{self, FromClient};
use crate::{AppState, Problem};

/// How often the client is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);
/// The longest without one.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest that a client may take to accept a message.
const UNREAD: Duration = Duration::from_secs(30);
/// The longest that the end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// What was typed and waits for the terminal; a client that types more waits, too.
const WAITING: usize = 16;
/// The most that is typed at once.
const MOST_TYPED: usize = 256 * 1024;

/// How a connection ends.
struct End {
    last: Option<Message>,
    code: u16,
    reason: &'static str,
}

impl End {
    /// The client is gone, or as good as.
    const GONE: Self = Self { last: None, code: close_code::NORMAL, reason: "" };

    fn error(error: SessionError) -> Self {
        let problem = Problem::from(error);
        let last = Some(frames::error(problem.code, &problem.detail));
        Self { last, code: close_code::ERROR, reason: "the terminal cannot be reached" }
    }
}

/// Serves the WebSocket until either side, the shell, the session or the server ends.
pub(super) async fn serve(
    socket: WebSocket,
    state: AppState,
    workspace: Workspace,
    opened: Terminal,
    view: TerminalView,
) {
    let (mut sink, mut stream) = socket.split();
    let (notes, told) = mpsc::channel(1);
    let (typed, waiting) = mpsc::channel(WAITING);
    let session = Arc::clone(workspace.session());
    let end = tokio::select! {
        end = show(&mut sink, &opened, view, told) => end,
        end = listen(&mut stream, typed, notes.clone()) => end,
        end = pass_on(&workspace, &opened.name, waiting, notes) => end,
        end = outlive(&session) => end,
        () = state.sessions.shutting_down() => {
            End { last: None, code: close_code::AWAY, reason: "the server is ending: connect again" }
        }
    };
    // A client that does not take its leave is left.
    let _ = tokio::time::timeout(GOODBYE, part(sink, stream, end)).await;
}

async fn part(mut sink: SplitSink<WebSocket, Message>, mut stream: SplitStream<WebSocket>, end: End) {
    if let Some(last) = end.last {
        let _ = sink.send(last).await;
    }
    let frame = CloseFrame { code: end.code, reason: end.reason.into() };
    if sink.send(Message::Close(Some(frame))).await.is_ok() {
        // Until the client has answered the close.
        while let Some(Ok(_)) = stream.next().await {}
    }
}

/// Sends what is on the terminal, notes from the other direction, and a ping now and then.
async fn show(
    sink: &mut SplitSink<WebSocket, Message>,
    opened: &Terminal,
    mut view: TerminalView,
    mut notes: mpsc::Receiver<Message>,
) -> End {
    let mut text = TextPieces::new();
    if view.after() > 0 {
        // Its beginning may be within a character.
        text.skip();
    }
    let mut pings = tokio::time::interval(PING);
    let mut next = Some(frames::info(&super::greeting(opened)));
    loop {
        if let Some(message) = next.take() {
            match tokio::time::timeout(UNREAD, sink.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return End::GONE,
            }
        }
        tokio::select! {
            frame = view.next() => match frame {
                Ok(Some(TerminalFrame::Output { data, .. })) => {
                    let piece = text.push(&data.0);
                    let behind = view.after().saturating_sub(text.waiting());
                    next = (!piece.is_empty()).then(|| frames::data(&piece, behind));
                }
                Ok(Some(TerminalFrame::Lost { from, to })) => {
                    text.skip();
                    next = Some(frames::lost(to.saturating_sub(from), to));
                }
                Ok(Some(TerminalFrame::Resized(size))) => next = Some(frames::resized(size)),
                Ok(Some(TerminalFrame::Exited(exit))) => {
                    let last = Some(frames::close(exit));
                    return End { last, code: close_code::NORMAL, reason: "the shell has ended" };
                }
                Ok(Some(TerminalFrame::Alive | TerminalFrame::Other)) => {}
                Ok(None) => return End { last: None, code: close_code::ERROR, reason: "the stream ended" },
                Err(error) => return End::error(error),
            },
            Some(note) = notes.recv() => next = Some(note),
            _ = pings.tick() => next = Some(Message::Ping(Bytes::new())),
        }
    }
}

/// Takes what the client sends. It is not read on while the terminal is behind.
async fn listen(
    stream: &mut SplitStream<WebSocket>,
    typed: mpsc::Sender<FromClient>,
    notes: mpsc::Sender<Message>,
) -> End {
    loop {
        let text = match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Binary(_)))) => String::new().into(),
            Ok(Some(Ok(Message::Close(_))) | None) | Err(_) => return End::GONE,
            Ok(Some(Err(_))) => {
                return End {
                    last: None,
                    code: close_code::SIZE,
                    reason: "a message was broken or too large",
                };
            }
        };
        let passed = match frames::read(&text) {
            Ok(frame) => typed.send(frame).await.is_ok(),
            Err(wrong) => notes.send(frames::error("invalid_frame", wrong)).await.is_ok(),
        };
        if !passed {
            return End::GONE;
        }
    }
}

/// Passes on to the terminal what was typed, in its order; what came together goes together.
async fn pass_on(
    workspace: &Workspace,
    name: &str,
    mut waiting: mpsc::Receiver<FromClient>,
    notes: mpsc::Sender<Message>,
) -> End {
    let mut next = None;
    loop {
        let frame = match next.take() {
            Some(frame) => frame,
            None => match waiting.recv().await {
                Some(frame) => frame,
                None => return End::GONE,
            },
        };
        let done = match frame {
            FromClient::Resize(size) => workspace.resize_terminal(name, size).await,
            FromClient::Data { data } => {
                let mut bytes = BytesMut::from(data.as_bytes());
                while bytes.len() < MOST_TYPED {
                    match waiting.try_recv() {
                        Ok(FromClient::Data { data }) => bytes.extend_from_slice(data.as_bytes()),
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                workspace.type_into_terminal(name, bytes.freeze()).await
            }
        };
        match done {
            Ok(()) => {}
            // The end of the shell is told where its output is.
            Err(SessionError::Agent(error)) if error.is_refusal(TERMINAL_ENDED) => {}
            Err(SessionError::Agent(error)) if error.is_refusal(TERMINAL_BLOCKED) => {
                let problem = Problem::from(error);
                if notes.send(frames::error(problem.code, &problem.detail)).await.is_err() {
                    return End::GONE;
                }
            }
            Err(error) => return End::error(error),
        }
    }
}

/// Ends when the session takes no more requests.
async fn outlive(session: &Session) -> End {
    let mut state = session.state();
    let over = state.wait_for(|state| state.status != agcluster_core::session::Status::Running).await;
    let text = over.map_or("the session is gone", |_| "the session does not run any more");
    let last = Some(frames::error("session_not_running", text));
    End { last, code: close_code::NORMAL, reason: "the session has ended" }
}
