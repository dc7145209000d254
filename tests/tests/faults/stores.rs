//! Databases that cannot be written for a while: what was begun goes on and loses nothing, what would begin is refused with a
//! reason, and all is well again by itself.

use std::io::Write;
use std::path::{Path, PathBuf};

use agcluster_tests::postgres::Postgres;
use agcluster_tests::system::{Chat, Installation, Plan, Provider, Session};
use anyhow::{Context, ensure};
use reqwest::StatusCode;
use sqlx::{Connection, SqliteConnection};

use super::{KEY, deltas, journal, of_type, scripted, soon, until_ready};

/// Events of a turn that runs all the while.
const DELTAS: usize = 400;

/// Two sessions: one that runs a turn all the while, and one that is idle.
async fn working(installation: &Installation) -> anyhow::Result<(Session, Chat, Session)> {
    let (busy, idle) = (scripted(installation).await?, scripted(installation).await?);
    let mut chat = busy.chat(&format!("@@stream {DELTAS} every 20ms of 20 bytes")).await?;
    deltas(&mut chat, 10).await?;
    Ok((busy, chat, idle))
}

/// Says why it takes nothing new now.
async fn refuses(installation: &Installation, idle: &Session) -> anyhow::Result<()> {
    let refused = soon("a refusal", idle.ask("hello?")).await?;
    ensure!(
        refused.status == StatusCode::SERVICE_UNAVAILABLE && refused.code() == "store_unavailable",
        "{} {}",
        refused.status,
        refused.body
    );
    ensure!(refused.headers.contains_key("retry-after"), "it does not say when to come back");
    let ready = until_ready(&installation.api(KEY), false).await?;
    ensure!(ready["detail"].as_str().is_some_and(|detail| detail.contains("database")), "{ready}");
    ensure!(installation.api(KEY).get("/health").await?.status.is_success(), "the server is gone");
    Ok(())
}

/// Everything is as if nothing had been.
async fn goes_on(
    installation: &Installation,
    (busy, chat, idle): (Session, Chat, Session),
) -> anyhow::Result<()> {
    until_ready(&installation.api(KEY), true).await?;
    let frames = soon("the end of the turn", chat.rest()).await?;
    ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
    let events = journal(&busy).await?;
    let is_streamed =
        |event: &&serde_json::Value| event["text"].as_str().is_some_and(|text| text.len() == 20);
    let streamed = of_type(&events, "text_delta").filter(is_streamed).count();
    ensure!(streamed == DELTAS, "{streamed} of {DELTAS} events were kept");
    let events = journal(&idle).await?;
    let refused =
        of_type(&events, "turn_started").filter(|event| event.to_string().contains("hello?")).count();
    ensure!(refused == 0, "what was refused ran");
    for session in [busy, idle] {
        ensure!(session.delete().await?.status.is_success(), "it cannot be removed");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_disk_refuses_with_a_reason_loses_nothing_and_recovers() -> anyhow::Result<()> {
    // A disk of the server's own, in memory, which ends with it.
    let disk = "mkdir -p data && mount -t tmpfs -o size=8m,mode=0700 tmpfs data && exec \"$@\"";
    let apart: &[&str] = if rustix::process::geteuid().is_root() {
        &["unshare", "--mount", "--propagation", "private"]
    } else {
        &["unshare", "--user", "--map-root-user", "--mount"]
    };
    let wrapper = apart.iter().copied().chain(["sh", "-c", disk, "sh"]).map(str::to_owned).collect();
    let plan = Plan { wrapper, ..Plan::on(Provider::Process) };
    Box::pin(Installation::with(plan, async |installation| {
        let working = working(installation).await?;
        let filler = inside(installation, "data/filler")?;
        fill(&filler)?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        std::fs::remove_file(&filler)?;
        goes_on(installation, working).await
    }))
    .await
}

/// A path in the server's own view of the files.
fn inside(installation: &Installation, name: &str) -> anyhow::Result<PathBuf> {
    let pid = installation.pid().context("the server is gone")?;
    let path = installation.path(name);
    Ok(Path::new(&format!("/proc/{pid}/root")).join(path.strip_prefix("/")?))
}

/// Fills the disk to the last byte.
fn fill(path: &Path) -> anyhow::Result<()> {
    let mut file = std::fs::File::create(path)?;
    for size in [64 << 10, 4 << 10, 1] {
        loop {
            match file.write_all(&vec![0; size]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_locked_database_refuses_with_a_reason_loses_nothing_and_recovers() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let working = working(installation).await?;
        let file = installation.path("data/agcluster.db").display().to_string();
        let mut other = SqliteConnection::connect(&format!("sqlite://{file}")).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        sqlx::query("ROLLBACK").execute(&mut other).await?;
        other.close().await?;
        goes_on(installation, working).await
    }))
    .await
}

#[tokio::test]
async fn a_restart_of_postgresql_loses_nothing() -> anyhow::Result<()> {
    let mut postgres = Postgres::start().await?;
    let url = postgres.url();
    let plan = Plan::on(Provider::Process).with(&["--database-url", &url]);
    Box::pin(Installation::with(plan, async |installation| {
        let working = working(installation).await?;
        postgres.stop().await?;
        until_ready(&installation.api(KEY), false).await?;
        refuses(installation, &working.2).await?;
        postgres.run().await?;
        goes_on(installation, working).await
    }))
    .await
}
