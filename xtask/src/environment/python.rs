//! The Python programs that tests use, at exact versions, in an environment of their own.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::cache;
use super::packages::{self, Package};
use crate::command::{self, announce};

/// Every package with its version: `schemathesis`, which holds the server against its description, and what it needs. For another version: install that one
/// anew, and write down what `pip freeze` says.
const REQUIREMENTS: &str = include_str!("python/requirements.txt");

const PYTHON: Package = Package { program: "python3", package: "python3" };

/// The path of a Python that has them all, made when it is not here yet. Other programs of the environment are run by it, as modules: their own
/// files name the place where the environment was made.
///
/// # Errors
/// Says what to install when Python is missing; or when a package cannot be had.
pub(crate) fn require() -> Result<PathBuf> {
    packages::require(&[PYTHON])?;
    if !has_environments() {
        packages::install(&["python3-venv"])?;
    }
    let version = command::output(Command::new("python3").arg("--version"))?;
    let folder = cache::folder(&entry(&version))?;
    let python = folder.join("bin/python");
    if !python.is_file() {
        announce("Fetching the Python packages of the tests");
        cache::fill(&folder, fetch)?;
    }
    Ok(python)
}

/// Debian has that in a package of its own.
fn has_environments() -> bool {
    command::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
}

/// Another Python or another list is another environment.
fn entry(version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (version.trim(), REQUIREMENTS).hash(&mut hasher);
    format!("python-{:016x}", hasher.finish())
}

fn fetch(made: &Path) -> Result<()> {
    command::run(Command::new("python3").args(["-m", "venv"]).arg(made))?;
    let list = tempfile::NamedTempFile::new()?;
    fs::write(list.path(), REQUIREMENTS)
        .with_context(|| format!("cannot write {}", list.path().display()))?;
    let mut pip = Command::new(made.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    command::run(pip.arg("--requirement").arg(list.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_exact_version() {
        for line in REQUIREMENTS.lines() {
            let (name, version) = line.split_once("==").unwrap();
            assert!(!name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit()), "{line}");
        }
        assert!(REQUIREMENTS.lines().any(|line| line.starts_with("schemathesis==")));
    }

    #[test]
    fn another_python_has_another_environment() {
        assert_eq!(entry("Python 3.11.7"), entry("Python 3.11.7"));
        assert_ne!(entry("Python 3.11.7"), entry("Python 3.12.0"));
    }
}
