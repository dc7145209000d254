//! Where the engine is: found as the `docker` command finds it.

mod context;

use std::fmt;
use std::path::{Path, PathBuf};

/// An engine's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A socket on this machine.
    Unix(PathBuf),
    /// `host:port`, in the clear.
    Http(String),
    /// `host:port`, with certificates on both sides.
    Https { address: String, certificates: Certificates },
}

/// The files that open an engine's TLS port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificates {
    /// The files as they are named in a folder.
    fn within(folder: &Path) -> Self {
        Self { ca: folder.join("ca.pem"), cert: folder.join("cert.pem"), key: folder.join("key.pem") }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(address) => write!(f, "tcp://{address}"),
            Self::Https { address, .. } => write!(f, "https://{address}"),
        }
    }
}

impl Host {
    /// Reads an address. `tls` makes `tcp://` mean TLS. The error is the reason, as a sentence.
    pub(super) fn parse(text: &str, tls: Option<Certificates>) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() {
            return Err(format!("{text:?} names no engine"));
        }
        match (scheme, tls) {
            ("unix", _) => Ok(Self::Unix(PathBuf::from(rest))),
            ("tcp" | "http", None) => Ok(Self::Http(with_port(rest, 2375))),
            ("tcp" | "http" | "https", Some(certificates)) => {
                Ok(Self::Https { address: with_port(rest, 2376), certificates })
            }
            ("https", None) => Ok(Self::Https {
                address: with_port(rest, 2376),
                certificates: Certificates::within(Path::new("")),
            }),
            ("ssh", _) => Err(format!(
                "{text:?} is reached over SSH, which is not supported: forward the engine's socket \
                 (ssh -L /tmp/docker.sock:/var/run/docker.sock) and set DOCKER_HOST=unix:///tmp/docker.sock"
            )),
            _ => Err(format!("{text:?} is no engine: use unix://, tcp://, http:// or https://")),
        }
    }

    /// The machine's name, when it may be another one.
    pub(super) fn machine(&self) -> Option<&str> {
        match self {
            Self::Unix(_) => None,
            Self::Http(address) | Self::Https { address, .. } => {
                address.rsplit_once(':').map(|(machine, _)| machine)
            }
        }
    }
}

/// `host:port`, with the port that is usual for the scheme.
fn with_port(address: &str, usual: u16) -> String {
    let after_bracket = address.rsplit(']').next().unwrap_or(address);
    if after_bracket.contains(':') { address.to_owned() } else { format!("{address}:{usual}") }
}

/// Everything the search looks at.
pub(super) struct Surroundings<'a> {
    /// The environment.
    pub(super) var: &'a dyn Fn(&str) -> Option<String>,
    /// Sockets that are tried when nothing else says where the engine is, best first.
    pub(super) sockets: Vec<PathBuf>,
}

impl<'a> Surroundings<'a> {
    /// This process's.
    pub(super) fn of_process(var: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let runtime = var("XDG_RUNTIME_DIR").map(PathBuf::from);
        let home = var("HOME").map(PathBuf::from);
        let sockets = [
            Some(PathBuf::from(DEFAULT_SOCKET)),
            runtime.as_ref().map(|folder| folder.join("docker.sock")),
            home.map(|folder| folder.join(".docker/run/docker.sock")),
            runtime.map(|folder| folder.join("podman/podman.sock")),
            Some(PathBuf::from("/run/podman/podman.sock")),
        ];
        Self { var, sockets: sockets.into_iter().flatten().collect() }
    }

    fn var(&self, name: &str) -> Option<String> {
        (self.var)(name).filter(|value| !value.is_empty())
    }

    /// The folder of the `docker` command's own files.
    fn docker_folder(&self) -> Option<PathBuf> {
        match self.var("DOCKER_CONFIG") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => self.var("HOME").map(|home| Path::new(&home).join(".docker")),
        }
    }

    /// The certificates of `DOCKER_CERT_PATH`, or of the `docker` command's folder.
    fn certificates(&self) -> Option<Certificates> {
        let folder = self.var("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| self.docker_folder());
        folder.map(|folder| Certificates::within(&folder))
    }
}

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Finds the engine: the configuration's `host`, `DOCKER_HOST`, the context (`DOCKER_CONTEXT`, or the one in use), the first default
/// socket that is there. The error is the reason, as a sentence.
pub(super) fn find(configured: Option<&str>, surroundings: &Surroundings<'_>) -> Result<Host, String> {
    let from_environment = surroundings.var("DOCKER_HOST");
    if let Some(host) = configured.map(str::to_owned).or(from_environment) {
        let tls = surroundings.var("DOCKER_TLS_VERIFY").is_some() || host.starts_with("https://");
        let certificates = if tls {
            let found = surroundings.certificates();
            Some(found.ok_or("set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem")?)
        } else {
            None
        };
        return Host::parse(&host, certificates);
    }
    if let Some(folder) = surroundings.docker_folder()
        && let Some(name) = context::chosen(surroundings.var("DOCKER_CONTEXT"), &folder)?
    {
        return context::read(&name, &folder);
    }
    let there = surroundings.sockets.iter().find(|path| path.exists());
    Ok(Host::Unix(there.cloned().unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))))
}

#[cfg(test)]
mod tests;
