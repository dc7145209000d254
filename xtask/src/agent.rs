//! The agent server as one static file that runs in any Linux image.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace;

const NAME: &str = "agcluster-agent";
/// Small, since it is copied into containers; also what the tests run, so that what is tested is what is shipped.
const PROFILE: &str = "dist";

/// Builds the agent server and answers the path of the file.
///
/// # Errors
/// When this is not Linux, or the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    if std::env::consts::OS != "linux" {
        bail!("The agent server is a Linux program: build it on Linux.");
    }
    let host = workspace::host_triple()?;
    let mut cargo = workspace::cargo();
    // With an explicit target the flags leave build scripts and macros alone, which cannot be static.
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args([
        "build",
        "--locked",
        "--package",
        NAME,
        "--bin",
        NAME,
        "--profile",
        PROFILE,
        "--target",
        &host,
    ]);
    command::run(&mut cargo)?;

    let target = workspace::target()?;
    let built = target.join(&host).join(PROFILE).join(NAME);
    let folder = target.join("agent");
    fs::create_dir_all(&folder)?;
    // Renamed into place: a container or a test may be reading the old one.
    let copy = tempfile::Builder::new().prefix(NAME).tempdir_in(&folder)?;
    let (new, path) = (copy.path().join(NAME), folder.join(NAME));
    fs::copy(&built, &new).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&new, &path)?;
    Ok(path)
}
