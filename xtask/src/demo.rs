//! The server with a scripted model API in place of a key, for anyone to try.

mod lines;
mod model_host;
mod probe;
mod stage;

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command::announce;
use crate::server::{Built, Needs};
use crate::workspace;
use stage::Stage;

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
    let needs = Needs::require()?;
    announce("Building the server and the scripted model API");
    let built = needs.build(&[stage::MODEL_API])?;
    let (events, happened) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let on_signal = events.clone();
    thread::spawn(move || {
        // They go on being caught while the first one is obeyed: nobody listens to the others.
        for _ in signals.forever() {
            let _ = on_signal.send(Event::Signal);
        }
    });
    let port = port()?;
    let stage = Stage::set(&built, port, move |name| {
        let _ = events.send(Event::Ended(name));
    })?;
    println!("\nTry it, in another terminal:\n\n{}", lines::to_try(port));
    let happened = happened.recv();
    announce("Stopping");
    stage.strike()?;
    match happened {
        Ok(Event::Ended(name)) => bail!("{name} ended by itself"),
        Ok(Event::Signal) | Err(_) => Ok(()),
    }
}

/// Tries the README's lines as `run` prints them, with programs that are built.
///
/// # Errors
/// When one of them does not do what the README says.
pub(crate) fn rehearse() -> Result<()> {
    let built = Built::before()?;
    let port = stage::free_port(IpAddr::V4(Ipv4Addr::LOCALHOST))?.port();
    let stage = Stage::set(&built, port, |_| ())?;
    // What they do counts, not what the last of them returns; and a message about what failed must be seen.
    let script = format!("exec 2>&1\n{}", lines::to_try(port));
    let said = Command::new("sh").args(["-c", &script]).current_dir(workspace::root()).output();
    stage.strike()?;
    let said = String::from_utf8_lossy(&said.context("sh cannot be started")?.stdout).into_owned();
    // The session's id, the end of the answer, the program in the workspace, the end of the session.
    for expected in ["\nconv-", "data: [DONE]", "print(\"", "\"status\":\"success\""] {
        if !format!("\n{said}").contains(expected) {
            bail!("the README's lines do not lead to {expected:?}; they said:\n{said}");
        }
    }
    Ok(())
}

/// The port of the server.
fn port() -> Result<u16> {
    let port = std::env::var("API_PORT").unwrap_or_else(|_| "8000".to_owned());
    port.parse().with_context(|| format!("API_PORT is no port number: {port}"))
}
