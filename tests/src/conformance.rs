//! The behaviour suite on any provider: on its ground of a test, or on its real platform.

use std::sync::Arc;

use agcluster_core::conformance::{Context as Case, Report, case_names, run_all};
use agcluster_core::provider::ContainerProvider;
use agcluster_server::{Environment, Settings, providers};
use anyhow::{Context, ensure};
use clap::Parser;

use crate::ground::{Ground, Provider};

/// Names the platform whose real service may be used, and paid for.
pub const LIVE: &str = "AGCLUSTER_LIVE";

/// Runs every case on a provider's ground, and ends the ground.
///
/// # Errors
/// When the ground cannot be prepared, or something is left there. A case that fails is in the report.
pub async fn on_ground(provider: Provider) -> anyhow::Result<Report> {
    let ground = Ground::prepare(provider).await?;
    let run = run_name(provider);
    let case = Case::new(ground.make().await?, run.as_str()).with_successor(ground.make().await?);
    let report = run_all(&case).await;
    ground.end(&run).await?;
    complete(report)
}

/// Runs every case on the real platform, configured as a server is: by `configs/providers/<platform>.yaml` and the environment. Two cases at a
/// time, since whoever pays has limits.
///
/// # Errors
/// When the platform is not configured, saying what is missing, or does not answer.
pub async fn live(provider: Provider) -> anyhow::Result<Report> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let case = Case::new(configured(provider).await?, run_name(provider))
        .with_successor(configured(provider).await?)
        .with_patience(std::time::Duration::from_secs(180))
        .with_concurrency(2);
    case.provider().probe().await.with_context(|| format!("{} does not answer", provider.name()))?;
    complete(run_all(&case).await)
}

async fn configured(provider: Provider) -> anyhow::Result<Arc<dyn ContainerProvider>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers");
    let folder = folder.display().to_string();
    let line = ["agcluster-server", "--container-provider", provider.name(), "--provider-configs", &folder];
    let settings = Settings { environment: Environment::of_process(), ..Settings::try_parse_from(line)? };
    Ok(providers(&settings).await?.get(provider.name())?)
}

/// Unique to this run, and short.
fn run_name(provider: Provider) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("conf-{}-{}", provider.name().replace('_', "-"), &unique[..8])
}

/// No case may be left out.
fn complete(report: Report) -> anyhow::Result<Report> {
    let ran: Vec<_> = report.rows.iter().map(|row| row.case).collect();
    ensure!(ran == case_names().collect::<Vec<_>>(), "{} ran {ran:?} only", report.platform);
    Ok(report)
}
