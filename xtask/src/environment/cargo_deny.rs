//! cargo-deny, which checks licences and sources of what we build on.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::cache;
use crate::command::{self, announce};
use crate::workspace;

const VERSION: &str = "0.20.2";

/// The path of cargo-deny; compiled once for this machine when it is not installed. A check that most runs
/// leave out would check nothing, and it takes two minutes only once.
///
/// # Errors
/// When it cannot be compiled.
pub(crate) fn require() -> Result<PathBuf> {
    if let Some(installed) = command::find("cargo-deny") {
        return Ok(installed);
    }
    let folder = cache::folder(&format!("cargo-deny-{VERSION}"))?;
    if !folder.is_dir() {
        announce(&format!("Compiling cargo-deny {VERSION}, once for this machine"));
        cache::fill(&folder, |made| {
            let mut install: Command = workspace::cargo();
            // It reads small files: optimising it would cost more time than it ever saves.
            install.args([
                "install",
                "--quiet",
                "--locked",
                "--debug",
                "--no-track",
                "cargo-deny",
                "--version",
                VERSION,
            ]);
            command::run(install.arg("--root").arg(made))
        })?;
    }
    Ok(folder.join("bin/cargo-deny"))
}
