//! Structured logs. Secrets are in types that print as `[redacted]`, and headers and bodies are never logged.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error: `level` is a level or a filter, `json` one JSON object a line.
///
/// # Errors
/// When the filter cannot be read, or logging has been started already.
pub fn init(level: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(level.to_ascii_lowercase()).map_err(|error| {
        format!("LOG_LEVEL cannot be read: {error}; write trace, debug, info, warn or error")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    started.map_err(|error| error.to_string())
}
