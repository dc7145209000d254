//! The comparison in `docs/providers/README.md` is what the providers say of themselves. `AGCLUSTER_UPDATE=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::Duration;

use agcluster_core::provider::{Capabilities, Isolation, ProviderFactory};
use agcluster_tests::ground::Provider;
use serde_json::{Value, json};

const BEGIN: &str = "<!-- Made from the capabilities by tests/tests/provider_table.rs: AGCLUSTER_UPDATE=1 writes it anew. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

/// Enough to make a provider, which contacts nobody.
fn config(provider: Provider) -> Value {
    match provider {
        Provider::Memory | Provider::Process | Provider::Docker => Value::Null,
        Provider::FlyMachines => json!({ "token": "t", "app": "a", "image": "registry.fly.io/a:latest" }),
        Provider::Vercel => json!({ "token": "t", "team_id": "t", "project_id": "p", "image": "i" }),
        Provider::Cloudflare => {
            json!({ "gateway_url": "https://gateway.example", "gateway_token": "a-token-of-this-test" })
        }
    }
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "–" }.to_owned()
}

/// What is claimed, and what it means.
fn claimed<T>(claim: Option<T>, meaning: impl Fn(T) -> &'static str) -> String {
    match claim.map(meaning) {
        None => yes(false),
        Some("") => yes(true),
        Some(meaning) => format!("yes, {meaning}"),
    }
}

fn long(time: Option<Duration>) -> String {
    let Some(time) = time else { return yes(false) };
    match time.as_secs() {
        hours if hours % 3600 == 0 => format!("{} h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

/// The lines of the table: a name, and what it is with these capabilities.
fn line(can: &Capabilities) -> Vec<(&'static str, String)> {
    let isolation = match can.isolation {
        Isolation::None => "none",
        Isolation::Container => "container",
        Isolation::VirtualMachine => "virtual machine",
    };
    vec![
        ("isolation", isolation.to_owned()),
        ("processor limit", yes(can.limits.cpu)),
        ("memory limit", yes(can.limits.memory)),
        ("process limit", yes(can.limits.pids)),
        ("storage limit", yes(can.limits.storage)),
        ("ends by itself after", long(can.lifetime.default)),
        ("lives at most", long(can.lifetime.max)),
        ("end can be moved", yes(can.lifetime.extendable)),
        ("image of your choice", yes(can.custom_image)),
        (
            "start again after a stop",
            claimed(
                can.start,
                |start| if start.keeps_workspace { "with its files" } else { "without its files" },
            ),
        ),
        (
            "pause",
            claimed(
                can.pause,
                |pause| if pause.keeps_memory { "with its memory" } else { "without its memory" },
            ),
        ),
        (
            "snapshot",
            claimed(can.snapshot, |shot| if shot.stops_source { "which stops it" } else { "while it runs" }),
        ),
        (
            "fork",
            claimed(can.fork, |fork| if fork.stops_source { "which stops it" } else { "while it runs" }),
        ),
        ("output", claimed(can.logs, |logs| if logs.follow { "also followed" } else { "" })),
        ("measurements", yes(can.stats)),
        (
            "commands through the platform",
            can.exec.map_or_else(
                || yes(false),
                |exec| match exec.max {
                    Some(max) => format!("up to {}", long(Some(max))),
                    None => yes(true),
                },
            ),
        ),
        (
            "files through the platform",
            claimed(can.archive, |archive| if archive.while_stopped { "also while stopped" } else { "" }),
        ),
    ]
}

async fn table() -> String {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    let mut columns = Vec::new();
    for name in factory.platforms() {
        let provider = Provider::ALL.into_iter().find(|provider| provider.name() == name).unwrap();
        let made = factory.create(name, config(provider)).await.unwrap();
        columns.push((name, line(&made.info().capabilities)));
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = columns.iter().map(|(name, _)| format!("`{name}`"));
    let mut table = row(std::iter::once(String::new()).chain(heads).collect());
    table += &row(vec!["---".to_owned(); columns.len() + 1]);
    for (index, (name, _)) in columns[0].1.iter().enumerate() {
        let cells = columns.iter().map(|(_, lines)| lines[index].1.clone());
        table += &row(std::iter::once((*name).to_owned()).chain(cells).collect());
    }
    table
}

#[tokio::test]
async fn the_comparison_is_what_the_providers_say_of_themselves() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/providers/README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let table = table().await;
    if std::env::var_os("AGCLUSTER_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, table, "the table is stale: run this test with AGCLUSTER_UPDATE=1");
}
