//! Fuzzing: the targets in `fuzz/`, built with the compiler's own instrumentation, each run for a while from its corpus.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{self, announce};
use crate::workspace;

/// What libFuzzer needs to see where a run goes. Each of it is a stable flag of the compiler.
const INSTRUMENTATION: &str = "--cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares -C codegen-units=1";
/// The longest input, in bytes.
const LONGEST: usize = 16 << 10;

/// Runs targets, all of them when none is named, for so many seconds each. What is found is added to the corpus.
///
/// # Errors
/// When one does not build, or finds something: then it says which input to try again.
pub(crate) fn run(targets: &[String], seconds: u32) -> Result<()> {
    let all = targets_there()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        bail!("there is no target {unknown}: there are {}", all.join(", "));
    }
    let chosen = if targets.is_empty() { &all } else { targets };
    announce("Building the fuzz targets");
    let built = build(chosen)?;
    for target in chosen {
        announce(&format!("Fuzzing {target} for {seconds} s"));
        let corpus = folder().join("corpus").join(target);
        let artifacts = folder().join("artifacts").join(target);
        for made in [&corpus, &artifacts] {
            fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
        }
        let mut fuzzer = Command::new(built.join(target));
        fuzzer
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0"])
            .arg(&corpus);
        command::run(&mut fuzzer).with_context(|| format!("{target} found something"))?;
    }
    Ok(())
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
