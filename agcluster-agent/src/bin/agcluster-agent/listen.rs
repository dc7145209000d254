//! Sockets to listen on.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use agcluster_protocol::AGENT_PORT;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::Failure;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("a path must follow `unix:`".to_owned()),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                "expected ADDRESS:PORT, such as 0.0.0.0:3000 or [::]:3000, or unix:PATH".to_owned()
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An open socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Opens the sockets that were asked for; without any, [`AGENT_PORT`] of every address.
pub(crate) async fn open(addresses: &[Address]) -> Result<Vec<Listener>, Failure> {
    let everywhere = [
        Address::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, AGENT_PORT))),
        Address::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, AGENT_PORT))),
    ];
    let by_default = addresses.is_empty();
    let mut listeners = Vec::new();
    for address in if by_default { &everywhere } else { addresses } {
        match bind(address).await {
            Ok(listener) => listeners.push(listener),
            // A system without IPv6; the IPv4 address follows.
            Err(error) if by_default && is_ipv6(address) => {
                tracing::debug!(%address, %error, "no IPv6 here");
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_covered(address, &listeners) => {}
            Err(error) => return Err(Failure::system(format!("cannot listen on {address}: {error}"))),
        }
    }
    Ok(listeners)
}

async fn bind(address: &Address) -> io::Result<Listener> {
    match address {
        Address::Tcp(address) => TcpListener::bind(address).await.map(Listener::Tcp),
        Address::Unix(path) => bind_unix(path).await.map(Listener::Unix),
    }
}

/// A socket file that nobody listens on any more is replaced. Anybody may connect: the token is what guards.
async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

fn is_ipv6(address: &Address) -> bool {
    matches!(address, Address::Tcp(SocketAddr::V6(_)))
}

/// Whether the socket for `[::]` took the port of `0.0.0.0` as well, as it does where the system is not told otherwise.
fn is_covered(address: &Address, listeners: &[Listener]) -> bool {
    let Address::Tcp(SocketAddr::V4(wanted)) = address else { return false };
    wanted.ip().is_unspecified()
        && listeners.iter().any(|listener| match listener {
            Listener::Tcp(tcp) => tcp.local_addr().is_ok_and(|open| {
                open.is_ipv6() && open.ip().is_unspecified() && open.port() == wanted.port()
            }),
            Listener::Unix(_) => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_tcp_address_or_a_path() {
        assert_eq!("unix:/a b".parse(), Ok(Address::Unix(PathBuf::from("/a b"))));
        assert!(matches!("[::1]:80".parse(), Ok(Address::Tcp(_))));
        for wrong in ["", "unix:", "80", "localhost:80", "/a"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn both_families_of_every_address_can_be_asked_for() {
        let both = async || {
            let first = open(&["[::]:0".parse().unwrap()]).await.unwrap();
            let Listener::Tcp(tcp) = &first[0] else { panic!("not TCP") };
            let port = tcp.local_addr().unwrap().port();
            drop(first);
            let both = [format!("[::]:{port}"), format!("0.0.0.0:{port}")].map(|text| text.parse().unwrap());
            open(&both).await
        };
        // Somebody else may take the port in between, but not again and again.
        let mut opened = both().await;
        for _ in 0..9 {
            if opened.is_ok() {
                break;
            }
            opened = both().await;
        }
        assert!(!opened.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_socket_file_is_replaced_unless_someone_listens() {
        let directory = tempfile::tempdir().unwrap();
        let address = Address::Unix(directory.path().join("agent"));
        let first = open(std::slice::from_ref(&address)).await.unwrap();
        let refused = open(std::slice::from_ref(&address)).await.unwrap_err();
        assert!(refused.sentence.contains("cannot listen on unix:"), "{}", refused.sentence);
        drop(first);
        assert_eq!(open(&[address]).await.unwrap().len(), 1);
    }
}
