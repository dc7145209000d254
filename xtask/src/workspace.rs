//! Where this workspace is, and how its programs are built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;
use crate::environment::packages;

/// Every crate with every feature: all commands share one build of each dependency.
pub(crate) const EVERYTHING: [&str; 3] = ["--locked", "--workspace", "--all-features"];

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The cargo that started this program, run in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // What cargo told this program about itself is no business of the crates built now.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Builds programs of this workspace without optimisation, and answers the folder they are in.
///
/// # Errors
/// When one does not build.
pub(crate) fn build(programs: &[&str]) -> Result<PathBuf> {
    packages::require(packages::FOR_BUILDS)?;
    let mut cargo = cargo();
    cargo.arg("build").args(EVERYTHING);
    for program in programs {
        cargo.args(["--bin", program]);
    }
    command::run(&mut cargo)?;
    self::programs()
}

/// The folder of programs that are built without optimisation.
///
/// # Errors
/// When cargo does not say where.
pub(crate) fn programs() -> Result<PathBuf> {
    Ok(target()?.join("debug"))
}

/// Cargo's own description of the workspace's packages, without dependencies.
fn metadata() -> Result<Value> {
    let text = command::output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata did not answer with JSON")
}

/// Cargo's output folder (it can be moved by environment or configuration).
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    let path = metadata.get("target_directory").and_then(Value::as_str);
    path.map(PathBuf::from).context("cargo metadata names no target directory")
}

/// The version that `package` has in this workspace.
pub(crate) fn version_of(package: &str) -> Result<String> {
    let metadata = metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    packages
        .into_iter()
        .flatten()
        .find(|found| found.get("name").and_then(Value::as_str) == Some(package))
        .and_then(|found| found.get("version").and_then(Value::as_str))
        .map(str::to_owned)
        .with_context(|| format!("there is no package {package} in this workspace"))
}

/// The features of `package`, in alphabetical order.
///
/// # Errors
/// When there is no such package.
pub(crate) fn features_of(package: &str) -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let found = packages
        .into_iter()
        .flatten()
        .find(|found| found.get("name").and_then(Value::as_str) == Some(package))
        .with_context(|| format!("there is no package {package} in this workspace"))?;
    let features = found.get("features").and_then(Value::as_object);
    Ok(features.into_iter().flatten().map(|(name, _)| name.clone()).collect())
}

/// The target triple of this machine, as the compiler names it.
pub(crate) fn host_triple() -> Result<String> {
    let text = command::output(Command::new("rustc").arg("-vV"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}
