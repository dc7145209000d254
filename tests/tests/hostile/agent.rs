//! An agent server that means harm: it speaks just enough HTTP to be believed, then does its worst.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malice {
    /// Its event stream says nothing at all, not even that it is alive.
    Dead,
    /// Its event stream is noise.
    Noise,
    /// Its events are JSON, but no events.
    NoEvents,
    /// One event that never ends.
    EndlessEvent,
    /// Valid events without a pause or an end.
    Flood,
    /// It leaves events out, every time anew.
    Gap,
    /// It speaks for another container of the session.
    OtherGeneration,
    /// Its answer to `/configure` never ends.
    EndlessConfigured,
    /// Its answer to `/configure` is noise.
    NoiseConfigured,
    /// It takes `/configure` and never answers.
    NeverConfigured,
    /// It claims to be healthy in a head that never ends.
    EndlessHead,
    /// It refuses what is asked of the workspace with a code and a sentence of its own, which is very long.
    LongRefusal,
    /// It answers what is asked of the workspace without end.
    EndlessAnswer,
    /// It never says what its container uses.
    NeverMeasured,
}

/// Serves one connection.
pub(super) async fn serve(malice: Malice, mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let path = request(&mut io).await?;
    match (path.split('?').next().unwrap_or_default(), malice) {
        ("/health", Malice::EndlessHead) => {
            io.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            endless(&mut io, b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await
        }
        ("/health", _) => {
            let health = json!({
                "protocol": 1, "version": "0", "instance": "i", "phase": "unconfigured", "generation": 1,
            });
            whole(&mut io, "200 OK", &health).await
        }
        ("/configure", Malice::EndlessConfigured) => {
            head(&mut io, "application/json").await?;
            endless(&mut io, &[b'['; 16 << 10]).await
        }
        ("/configure", Malice::NoiseConfigured) => {
            head(&mut io, "application/json").await?;
            io.write_all(b"\xff\xfe{{{").await
        }
        ("/configure", Malice::NeverConfigured) => std::future::pending().await,
        ("/configure", _) => whole(&mut io, "200 OK", &json!({ "agent": "hostile 1", "last_seq": 0 })).await,
        ("/events", _) => events(malice, &mut io).await,
        ("/resources", Malice::NeverMeasured) => std::future::pending().await,
        (path, Malice::LongRefusal) if path.starts_with("/workspace") => {
            let problem = json!({ "code": "agents_own_code", "detail": "x".repeat(3 << 20) });
            whole(&mut io, "418 I'm a teapot", &problem).await
        }
        (path, Malice::EndlessAnswer) if path.starts_with("/workspace") => {
            head(&mut io, "application/json").await?;
            endless(&mut io, &[b' '; 16 << 10]).await
        }
        _ => whole(&mut io, "200 OK", &json!({})).await,
    }
}

async fn events(malice: Malice, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    head(io, "text/event-stream").await?;
    let event = |seq: u64, generation: u32| {
        let event = json!({
            "seq": seq, "generation": generation, "at": "2026-01-01T00:00:00Z",
            "type": "notice", "level": "info", "message": "x".repeat(200),
        });
        format!("id: {seq}\ndata: {event}\n\n")
    };
    match malice {
        Malice::Noise => endless(io, b"\x00\xff\xfe: \ndata\r\n\ndata: \x80\n\n").await,
        Malice::NoEvents => io.write_all(b"data: {\"seq\": \"many\"}\n\n").await,
        Malice::EndlessEvent => {
            io.write_all(b"data: ").await?;
            endless(io, &[b'a'; 16 << 10]).await
        }
        Malice::Flood => {
            for seq in 1.. {
                io.write_all(event(seq, 1).as_bytes()).await?;
            }
            Ok(())
        }
        Malice::Gap => io.write_all((event(1, 1) + &event(3, 1)).as_bytes()).await,
        Malice::OtherGeneration => io.write_all(event(1, 7).as_bytes()).await,
        Malice::Dead => std::future::pending().await,
        _ => loop {
            io.write_all(b": alive\n\n").await?;
            tokio::time::sleep(std::time::Duration::from_secs(15)).await;
        },
    }
}

/// Reads a request to its end and gives the path.
async fn request(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if io.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    while read.len() < end + length.unwrap_or_default() {
        if io.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// The head of an answer that ends with its connection.
async fn head(io: &mut (impl AsyncWrite + Unpin), kind: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\r\n");
    io.write_all(head.as_bytes()).await
}

async fn whole(io: &mut (impl AsyncWrite + Unpin), status: &str, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    io.write_all((head + &body).as_bytes()).await?;
    io.shutdown().await
}

/// Writes the same over and over, as long as somebody reads.
async fn endless(io: &mut (impl AsyncWrite + Unpin), piece: &[u8]) -> io::Result<()> {
    loop {
        io.write_all(piece).await?;
    }
}
