//! A provider can be had without the others.

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::workspace;

const PACKAGE: &str = "agcluster-providers";

/// Checks that the providers' crate compiles with each of its features alone and with none, without a warning.
///
/// # Errors
/// When it does not, or its features cannot be found.
pub(super) fn each_alone() -> Result<()> {
    let features = workspace::features_of(PACKAGE)?;
    let alone: Vec<_> = features.iter().map(String::as_str).filter(|name| *name != "default").collect();
    ensure!(!alone.is_empty(), "{PACKAGE} has no features");
    for feature in alone.into_iter().chain([""]) {
        let mut cargo = workspace::cargo();
        cargo.args(["clippy", "--locked", "--package", PACKAGE, "--lib", "--no-default-features"]);
        cargo.args(["--features", feature, "--", "-D", "warnings"]);
        let what = if feature.is_empty() { "without any" } else { feature };
        command::run(&mut cargo).with_context(|| format!("{PACKAGE} does not compile {what}"))?;
    }
    Ok(())
}
