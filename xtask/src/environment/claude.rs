//! The Claude program, from its package for this platform at one exact version.
//!
//! The main package is not asked for: under an older Node it silently resolves to an older version. What
//! arrives here is licensed to whoever installs it; do not publish images that contain it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache;
use super::packages::{self, Package};
use crate::command::{self, announce};

/// The version that the agent server is tested with.
pub(crate) const VERSION: &str = "2.1.329";

const NPM: Package = Package { program: "npm", package: "npm" };

/// The path of the Claude program, fetched when it is not here yet.
///
/// # Errors
/// Says what to install when npm is missing; or when the package cannot be had or does not run.
pub(crate) fn require() -> Result<PathBuf> {
    let folder = cache::folder(&format!("claude-{VERSION}"))?;
    let program = folder.join("claude");
    if !program.is_file() {
        let package = package(std::env::consts::OS, std::env::consts::ARCH)?;
        packages::require(&[NPM])?;
        announce(&format!("Fetching {package} {VERSION}"));
        cache::fill(&folder, |made| fetch(&package, made))?;
    }
    Ok(program)
}

/// The package that holds the program for a platform.
fn package(os: &str, machine: &str) -> Result<String> {
    let machine = match (os, machine) {
        ("linux", "x86_64") => "x64",
        ("linux", "aarch64") => "arm64",
        _ => {
            bail!("Containers run Linux on x86-64 or arm64; use such a machine instead of {os} on {machine}.")
        }
    };
    Ok(format!("@anthropic-ai/claude-code-linux-{machine}"))
}

fn fetch(package: &str, made: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in(made)?;
    let exact = format!("{package}@{VERSION}");
    command::output(Command::new("npm").args(["pack", "--silent", &exact]).current_dir(folder.path()))?;
    let archive = fs::read_dir(folder.path())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .with_context(|| format!("npm packed no archive of {exact}"))?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--strip-components=1", "--file"]).arg(archive);
    command::run(tar.arg("--directory").arg(made).arg("package/claude"))?;
    let said = command::output(Command::new(made.join("claude")).arg("--version"))?;
    if said.split_whitespace().next() != Some(VERSION) {
        bail!("{exact} holds a program that calls itself {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_its_package() {
        assert_eq!(package("linux", "x86_64").unwrap(), "@anthropic-ai/claude-code-linux-x64");
        assert_eq!(package("linux", "aarch64").unwrap(), "@anthropic-ai/claude-code-linux-arm64");
        assert!(package("macos", "aarch64").unwrap_err().to_string().contains("macos"));
    }
}
