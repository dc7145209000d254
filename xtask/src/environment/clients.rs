//! The vendors' own clients of the model APIs, for Python and for Node, at exact versions: the tests put them before the
//! server as users do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::cache;
use super::packages::{self, Package};
use crate::command::{self, announce};

/// Where the tests look for the folder.
pub(crate) const VARIABLE: &str = "AGCLUSTER_CLIENTS";

const OPENAI: &str = "3.52.0";
const ANTHROPIC: &str = "2.11.0";
const OPENAI_NODE: &str = "6.49.0";
const ANTHROPIC_NODE: &str = "1.11.0";

const NEEDED: &[Package] = &[
    Package { program: "python3", package: "python3" },
    Package { program: "pip3", package: "python3-pip" },
    Package { program: "node", package: "nodejs" },
    Package { program: "npm", package: "npm" },
];

/// The folder with `python` (for `PYTHONPATH`) and `node`, filled when it is not here yet.
///
/// # Errors
/// Says what to install when Python or Node is missing; or when a package cannot be had.
pub(crate) fn require() -> Result<PathBuf> {
    packages::require(NEEDED)?;
    // What is compiled in the packages is for one version of Python.
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let python = command::output(Command::new("python3").args(["-c", version]))?;
    let folder = cache::folder(&format!(
        "clients-python{python}-openai{OPENAI}-anthropic{ANTHROPIC}-node-openai{OPENAI_NODE}-anthropic{ANTHROPIC_NODE}"
    ))?;
    if !folder.is_dir() {
        announce("Fetching the official clients of OpenAI and Anthropic");
        cache::fill(&folder, fetch)?;
    }
    Ok(folder)
}

fn fetch(made: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]);
    pip.arg("--root-user-action=ignore").arg("--target").arg(made.join("python"));
    command::run(pip.args([format!("openai=={OPENAI}"), format!("anthropic=={ANTHROPIC}")]))?;
    let node = made.join("node");
    fs::create_dir(&node)?;
    fs::write(node.join("package.json"), "{\"private\": true}")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&node);
    command::run(npm.args([format!("openai@{OPENAI_NODE}"), format!("@anthropic-ai/sdk@{ANTHROPIC_NODE}")]))
}
