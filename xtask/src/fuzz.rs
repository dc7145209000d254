//! Fuzzing: the targets in `fuzz/`, built with the compiler's own instrumentation, each run for a while from its corpus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{self, announce};
use crate::environment::packages::{self, Package};
use crate::workspace;

/// What libFuzzer needs to see where a run goes. Each of it is a stable flag of the compiler.
const INSTRUMENTATION: &str = "--cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares -C codegen-units=1";
/// The longest input, in bytes.
const LONGEST: usize = 4 << 10;
/// libFuzzer itself is C++.
const COMPILER: &[Package] = &[Package { program: "c++", package: "g++" }];

/// What becomes of inputs that go where none went before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The fewest and shortest of them that go as far are added to the corpus.
    Kept,
    /// They are left in the folder of what is built.
    Left,
}

/// Runs targets, all of them when none is named: their corpus first, then what comes of it, for so many seconds each.
///
/// # Errors
/// When one does not build, or finds something: then it says which input to try again.
pub(crate) fn run(targets: &[String], seconds: u32, found: Found) -> Result<()> {
    let all = targets_there()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        bail!("there is no target {unknown}: there are {}", all.join(", "));
    }
    packages::require(COMPILER)?;
    let chosen = if targets.is_empty() { &all } else { targets };
    announce("Building the fuzz targets");
    let built = build(chosen)?;
    for target in chosen {
        announce(&format!("Fuzzing {target} for {seconds} s"));
        let corpus = folder().join("corpus").join(target);
        let artifacts = folder().join("artifacts").join(target);
        let new = built.join("found").join(target);
        for made in [&corpus, &artifacts, &new] {
            fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
        }
        let mut fuzzer = fuzzer(&built.join(target), &artifacts);
        fuzzer.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
        command::run(fuzzer.args([&new, &corpus])).with_context(|| format!("{target} found something"))?;
        if found == Found::Kept {
            let mut fuzzer = self::fuzzer(&built.join(target), &artifacts);
            // How often a branch is taken tells nothing that is worth a file.
            fuzzer.args(["-set_cover_merge=1", "-use_counters=0"]);
            command::run(fuzzer.args([&corpus, &new]))?;
        }
    }
    Ok(())
}

fn fuzzer(program: &Path, artifacts: &Path) -> Command {
    let mut fuzzer = Command::new(program);
    fuzzer.arg(format!("-max_len={LONGEST}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzzer.args(["-timeout=10", "-rss_limit_mb=1024", "-verbosity=0"]);
    fuzzer
}

fn folder() -> PathBuf {
    workspace::root().join("fuzz")
}

/// The names of all targets.
fn targets_there() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder().join("targets")).context("cannot read fuzz/targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds targets with this workspace's versions of everything, and answers the folder they are in.
fn build(targets: &[String]) -> Result<PathBuf> {
    fs::copy(workspace::root().join("Cargo.lock"), folder().join("Cargo.lock"))
        .context("cannot copy Cargo.lock")?;
    let (host, target) = (workspace::host_triple()?, workspace::target()?.join("fuzz"));
    let mut cargo = workspace::cargo();
    // With an explicit target the flags leave build scripts and macros alone.
    cargo.env("RUSTFLAGS", INSTRUMENTATION).env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args(["build", "--release", "--target", &host]).arg("--target-dir").arg(&target);
    cargo.arg("--manifest-path").arg(folder().join("Cargo.toml"));
    for name in targets {
        cargo.args(["--bin", name]);
    }
    command::run(&mut cargo)?;
    Ok(target.join(host).join("release"))
}
