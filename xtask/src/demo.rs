//! The server with a scripted model API in place of a key, for anyone to try.

mod model_host;
mod requests;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::{self, announce};
use crate::running::Running;
use crate::{server, workspace};

const MODEL_API: &str = "scripted-model-api";
const START_LIMIT: Duration = Duration::from_secs(60);
/// The server ends its sessions, and with them their containers, before it ends itself.
const SERVER_GRACE: Duration = Duration::from_secs(60);
const MODEL_GRACE: Duration = Duration::from_secs(5);

/// What the demo waits for once everything runs.
enum Event {
    Signal,
    Ended(&'static str),
}

/// Runs the server and a scripted model API until Ctrl-C or SIGTERM, then ends both.
///
/// # Errors
/// When something is missing or does not start, or one of the two ends by itself.
pub(crate) fn run() -> Result<()> {
    server::prepare()?;
    announce("Building the server and the scripted model API");
    command::run(workspace::cargo().args(["build", "--bin", server::NAME, "--bin", MODEL_API]))?;

    let (events, happened) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let on_signal = events.clone();
    thread::spawn(move || {
        // Each signal counts, also a second one while the first is being obeyed: nobody listens then.
        for _ in signals.forever() {
            let _ = on_signal.send(Event::Signal);
        }
    });

    let model_address = free_port(model_host::address()?)?;
    let mut model_api = start(MODEL_API, &events, |model_api| {
        model_api.args(["--demo", "--listen", &model_address.to_string()]);
    })?;
    model_api.wait_until(START_LIMIT, || requests::connects(model_address))?;

    let port = port()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if requests::connects(address) {
        bail!("Port {port} is taken: stop what listens there, or choose another one with API_PORT.");
    }
    let mut server = start(server::NAME, &events, |server| {
        server.env("API_HOST", "127.0.0.1").env("API_PORT", port.to_string());
        server.env("ANTHROPIC_BASE_URL", format!("http://{model_address}"));
    })?;
    server.wait_until(START_LIMIT, || requests::succeeds(address, "/ready"))?;

    println!("{}", requests::to_try(port));
    let ended = match happened.recv() {
        Ok(Event::Ended(name)) => Some(name),
        Ok(Event::Signal) | Err(_) => None,
    };
    announce("Stopping");
    // First the one that uses the other.
    server.stop(SERVER_GRACE)?;
    model_api.stop(MODEL_GRACE)?;
    ended.map_or(Ok(()), |name| bail!("{name} ended by itself"))
}

fn start(name: &'static str, events: &Sender<Event>, adapt: impl FnOnce(&mut Command)) -> Result<Running> {
    let mut command = Command::new(workspace::target()?.join("debug").join(name));
    adapt(command.current_dir(workspace::root()).stdin(Stdio::null()));
    let events = events.clone();
    Running::start(&mut command, move || {
        let _ = events.send(Event::Ended(name));
    })
}

/// An address at `host` that nobody listens on.
fn free_port(host: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((host, 0)).with_context(|| {
        format!("the demo needs the Docker engine on this machine: {host} is not an address of it")
    })?;
    Ok(listener.local_addr()?)
}

/// The port of the server.
fn port() -> Result<u16> {
    let port = std::env::var("API_PORT").unwrap_or_else(|_| "8000".to_owned());
    port.parse().with_context(|| format!("API_PORT is no port number: {port}"))
}
