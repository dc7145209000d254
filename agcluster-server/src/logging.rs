//! Structured logs. Secrets are in types that print as `[redacted]`, and headers and bodies are never logged.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::Traces;

/// Starts logging to standard error: `level` is a level or a filter, `json` one JSON object a line. Spans go to `traces` whatever is logged.
///
/// # Errors
/// When the filter cannot be read, or logging has been started already.
pub fn init(level: &str, json: bool, traces: Option<&Traces>) -> Result<(), String> {
    let filter = EnvFilter::try_new(level.to_ascii_lowercase()).map_err(|error| {
        format!("LOG_LEVEL cannot be read: {error}; write trace, debug, info, warn or error")
    })?;
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let log = if json { log.json().boxed() } else { log.boxed() };
    tracing_subscriber::registry()
        .with(traces.map(Traces::layer))
        .with(log.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())
}
