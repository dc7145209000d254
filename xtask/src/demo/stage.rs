//! The two programs of the demo: a scripted model API, and the server that has it in place of the real one.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{model_host, probe};
use crate::running::Running;
use crate::server::{self, Built};

/// Name of the scripted model API's program.
pub(super) const MODEL_API: &str = "scripted-model-api";
const START_LIMIT: Duration = Duration::from_secs(60);
/// The server ends its sessions, and with them their containers, before it ends itself.
const SERVER_GRACE: Duration = Duration::from_secs(60);
const MODEL_GRACE: Duration = Duration::from_secs(5);

/// Both programs, running.
pub(super) struct Stage {
    model_api: Running,
    server: Running,
}

impl Stage {
    /// Starts both, the server on `port` of this machine, and waits until it is ready. `on_end` is told the name of
    /// each that has ended, whoever ended it.
    ///
    /// # Errors
    /// When one does not start, or the port is taken.
    pub(super) fn set(
        built: &Built,
        port: u16,
        on_end: impl Fn(&'static str) + Clone + Send + 'static,
    ) -> Result<Self> {
        let start = |name: &'static str, command: &mut Command| {
            let on_end = on_end.clone();
            Running::start(command.stdin(Stdio::null()), move || on_end(name))
        };

        let model_address = free_port(model_host::address()?)?;
        let mut model_api = built.command(MODEL_API)?;
        model_api.args(["--demo", "--listen", &model_address.to_string()]);
        let mut model_api = start(MODEL_API, &mut model_api)?;
        model_api.wait_until(START_LIMIT, || probe::connects(model_address))?;

        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if probe::connects(address) {
            bail!("Port {port} is taken: stop what listens there, or choose another one with API_PORT.");
        }
        let mut server = built.command(server::NAME)?;
        server.env("API_HOST", "127.0.0.1").env("API_PORT", port.to_string());
        server.env("ANTHROPIC_BASE_URL", format!("http://{model_address}"));
        let mut server = start(server::NAME, &mut server)?;
        server.wait_until(START_LIMIT, || probe::succeeds(address, "/ready"))?;
        Ok(Self { model_api, server })
    }

    /// Ends both, first the one that uses the other.
    ///
    /// # Errors
    /// When it cannot be found out whether they have ended.
    pub(super) fn strike(mut self) -> Result<()> {
        self.server.stop(SERVER_GRACE)?;
        self.model_api.stop(MODEL_GRACE)
    }
}

/// An address at `host` that nobody listens on.
pub(super) fn free_port(host: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((host, 0)).with_context(|| {
        format!("the demo needs the Docker engine on this machine: {host} is not an address of it")
    })?;
    Ok(listener.local_addr()?)
}
