//! What it was measured on.

use anyhow::Result;
use bollard::Docker;
use serde_json::{Value, json};

/// The machine, for the report.
pub(crate) async fn describe(engine: &Docker) -> Result<Value> {
    let version = engine.version().await?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kibibytes: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    Ok(json!({
        "cores": std::thread::available_parallelism()?.get(),
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "memory_gib": kibibytes / (1 << 20),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "engine": version.version,
        "at": jiff::Timestamp::now().to_string(),
    }))
}

/// The same as one sentence.
pub(crate) fn sentence(machine: &Value) -> String {
    let text = |name: &str| machine[name].as_str().unwrap_or("unknown").to_owned();
    format!(
        "Measured {} on {} cores ({}), {} GiB, Linux {}, Docker {}.",
        text("at"),
        machine["cores"],
        text("processor"),
        machine["memory_gib"],
        text("kernel"),
        text("engine"),
    )
}
