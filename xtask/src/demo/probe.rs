//! Asking whether somebody answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// Whether somebody accepts connections at `address`.
pub(super) fn connects(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, LIMIT).is_ok()
}

/// Whether `GET path` at `address` is answered with status 200.
pub(super) fn succeeds(address: SocketAddr, path: &str) -> bool {
    status(address, path).is_ok_and(|line| line.split(' ').nth(1) == Some("200"))
}

/// The first bytes of the answer, which hold the status line.
fn status(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 14];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"GET /ready HTT");
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_status_200_is_ready() {
        assert!(succeeds(answering("HTTP/1.1 200 OK\r\n\r\n"), "/ready"));
        assert!(!succeeds(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n"), "/ready"));
        assert!(!succeeds(answering("200"), "/ready"));
    }

    #[test]
    fn nobody_is_not_ready() {
        // An address of its own: no other test takes the port in between.
        let listener = TcpListener::bind("127.0.77.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(connects(address));
        drop(listener);
        assert!(!connects(address));
        assert!(!succeeds(address, "/ready"));
    }
}
