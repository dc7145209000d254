//! The `workerd` program, from its package at one exact version. Later ones want an image for each container's traffic that only a registry
//! has, or an engine newer than 20.10.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::process::Command;

/// The version.
pub(super) const VERSION: &str = "1.20260219.0";
/// What that version says of itself.
const SAYS: &str = "workerd 2026-02-19";
/// How long fetching may take.
const FETCH: Duration = Duration::from_secs(300);

/// Its path, fetched from npm into the build folder when it is not there yet.
pub(super) async fn program() -> anyhow::Result<PathBuf> {
    let target = target()?;
    let folder = target.join(format!("workerd-{VERSION}"));
    let program = folder.join("workerd");
    if program.is_file() {
        return Ok(program);
    }
    let attempt = tempfile::Builder::new().prefix(".workerd-").tempdir_in(&target)?;
    let made = attempt.path().join("made");
    tokio::fs::create_dir(&made).await?;
    fetch(attempt.path(), &made).await.with_context(|| {
        format!("workerd {VERSION} cannot be had: install npm, and let it reach its registry")
    })?;
    match tokio::fs::rename(&made, &folder).await {
        Ok(()) => {}
        // Another test was quicker with the same thing.
        Err(_) if program.is_file() => {}
        Err(error) => return Err(error).context("keeping workerd"),
    }
    Ok(program)
}

async fn fetch(folder: &Path, made: &Path) -> anyhow::Result<()> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "64",
        "aarch64" => "arm64",
        other => bail!("there is no workerd for {other}"),
    };
    let package = format!("@cloudflare/workerd-linux-{machine}@{VERSION}");
    output(Command::new("npm").args(["pack", "--silent", &package]).current_dir(folder)).await?;
    let archive = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .with_context(|| format!("npm packed no archive of {package}"))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--strip-components=2", "--file"]).arg(archive);
    output(tar.arg("--directory").arg(made).arg("package/bin/workerd")).await?;
    let said = output(Command::new(made.join("workerd")).arg("--version")).await?;
    ensure!(said.trim() == SAYS, "{package} holds a program that calls itself {said}");
    Ok(())
}

async fn output(command: &mut Command) -> anyhow::Result<String> {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(FETCH, running).await.context("it takes too long")??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{} failed: {said}", command.as_std().get_program().display());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Cargo's output folder: the one this very program was built into.
fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let marked = marked.with_context(|| format!("{} is in no build folder", program.display()))?;
    Ok(marked.to_owned())
}
