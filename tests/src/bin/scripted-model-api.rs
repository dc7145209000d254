//! The scripted model API as a program, for the demo and for trying things by hand.

use agcluster_tests::model_api::{ModelApi, Options};
use anyhow::Context as _;
use clap::Parser;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

/// Serve a scripted Anthropic Messages API: the script is in the prompt, in lines that begin with `@@`.
#[derive(Debug, Parser)]
#[command(name = "scripted-model-api")]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Answer prompts without directives with a canned little program.
    #[arg(long)]
    demo: bool,
    /// Accept only this API key; may be given several times. Without it every key is accepted.
    #[arg(long = "api-key", value_name = "KEY")]
    api_keys: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let in_colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(in_colour).init();
    let arguments = Arguments::parse();
    let options = Options {
        listen: arguments.listen,
        demo: arguments.demo,
        api_keys: arguments.api_keys,
        ..Options::default()
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let api =
        ModelApi::start(options).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tracing::info!(url = api.url_for(&api.address().ip().to_string()), "the scripted model API is ready");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    api.stop().await;
    Ok(())
}
