//! Everything that must hold, in the order in which it is cheapest to be told.

mod features;
mod outside;
mod totals;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{self, announce};
use crate::demo;
use crate::environment::{cargo_deny, clients, packages, postgres, python};
use crate::fuzz::{self, Found};
use crate::image::{self, Order};
use crate::programs::Programs;
use crate::workspace::{self, EVERYTHING};
use totals::Totals;

/// How long each parser of what comes from outside is fuzzed.
const FUZZ_SECONDS: u32 = 5;

/// The run so far.
#[derive(Default)]
struct Run {
    totals: Totals,
    failed: Vec<&'static str>,
}

/// Runs all checks, or only the tests that match `filter`. The last line of output is
/// `<number> passed, <number> failed`.
pub(crate) fn run(filter: &[String]) -> ExitCode {
    let mut run = Run::default();
    if filter.is_empty() {
        run.step("formatting", |_| command::run(workspace::cargo().args(["fmt", "--all", "--check"])));
        run.step("lints", |_| lints());
        run.step("documentation", |_| documentation());
        run.step("licences and sources", |_| licences());
        run.step("each provider alone", |_| features::each_alone());
    } else {
        announce(
            "Only tests that match: formatting, lints, licences, documentation, the examples and the README's lines are left out",
        );
    }
    // Tests in containers would only repeat, each in its way, what is missing here.
    if let Some(programs) = run.step("environment", |_| environment())
        && run.step("build", |_| build()).is_some()
    {
        run.step("tests", |totals| tests(&["--lib", "--bins", "--tests"], filter, &programs, totals));
        if filter.is_empty() {
            run.step("documentation tests", |totals| tests(&["--doc"], &[], &programs, totals));
            run.step("the example embed", |_| example("embed", &programs));
            run.step("the example of a provider", |totals| outside::tests(&programs, totals));
            run.step("the README's lines", |_| demo::rehearse());
            run.step("a little fuzzing", |_| fuzz::run(&[], FUZZ_SECONDS, Found::Left));
        }
    }
    run.finish()
}

impl Run {
    /// Runs a step; a failed one keeps none of the others from telling what it finds.
    fn step<T>(&mut self, name: &'static str, step: impl FnOnce(&mut Totals) -> Result<T>) -> Option<T> {
        announce(&format!("Checking: {name}"));
        match step(&mut self.totals) {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                eprintln!("{error:#}");
                self.failed.push(name);
                None
            }
        }
    }

    fn finish(&self) -> ExitCode {
        println!("{}", self.summary());
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// What is said at the end. The totals are the last line.
    fn summary(&self) -> String {
        if self.failed.is_empty() {
            return self.totals.to_string();
        }
        format!("These failed: {}.\n{}", self.failed.join(", "), self.totals)
    }
}

fn lints() -> Result<()> {
    packages::require(packages::FOR_BUILDS)?;
    command::run(workspace::cargo().arg("clippy").args(EVERYTHING).args([
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Links in the documentation lead somewhere.
fn documentation() -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.env("RUSTDOCFLAGS", "-D warnings").arg("doc").args(EVERYTHING);
    command::run(cargo.args(["--no-deps", "--lib"]))
}

fn licences() -> Result<()> {
    let mut deny = Command::new(cargo_deny::require()?);
    // Not the advisories: their database is a download of its own, and changes without any change of ours.
    deny.args(["--locked", "--all-features", "--workspace", "check", "--hide-inclusion-graph"]);
    command::run(deny.args(["licenses", "bans", "sources"]).current_dir(workspace::root()))
}

/// What the tests use: an engine, the agent image, PostgreSQL, programs on this machine, other people's clients, Python packages.
fn environment() -> Result<Programs> {
    packages::require(packages::FOR_TESTS)?;
    postgres::require()?;
    clients::require()?;
    let python = Some(python::require()?);
    Ok(Programs { python, ..image::build(&Order::default())? })
}

fn build() -> Result<()> {
    command::run(workspace::cargo().arg("build").args(EVERYTHING).arg("--all-targets"))
}

/// Runs tests of the workspace.
fn tests(targets: &[&str], filter: &[String], programs: &Programs, totals: &mut Totals) -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo
        .envs(programs.environment())
        .env(clients::VARIABLE, clients::require()?)
        .arg("test")
        .args(EVERYTHING)
        .arg("--no-fail-fast")
        .args(targets)
        .arg("--")
        .args(filter);
    counted(&mut cargo, totals)
}

/// Runs a command that runs tests, shows what it writes and adds up its results.
fn counted(cargo: &mut Command, totals: &mut Totals) -> Result<()> {
    let mut running =
        cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut output = BufReader::new(running.stdout.take().context("cargo has no output")?);
    let mut here = Totals::default();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        std::io::stdout().write_all(&line)?;
        if let Some(result) = Totals::of(&String::from_utf8_lossy(&line)) {
            here += result;
        }
        line.clear();
    }
    *totals += here;
    let status = running.wait()?;
    if !status.success() {
        bail!("tests failed ({status})");
    }
    if here.ignored > 0 {
        bail!("{} tests are marked `ignore`: mend them or take them out", here.ignored);
    }
    Ok(())
}

/// Runs an example that the build step has left in its place.
fn example(name: &str, programs: &Programs) -> Result<()> {
    let program = workspace::programs()?.join("examples").join(name);
    command::run(Command::new(program).envs(programs.environment()).current_dir(workspace::root()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_keeps_none_from_running() {
        let mut run = Run::default();
        assert!(run.step("formatting", |_| -> Result<()> { bail!("not formatted") }).is_none());
        let outcome = run.step("tests", |totals| {
            *totals += Totals { passed: 3, ..Totals::default() };
            Ok("outcome")
        });
        assert_eq!(outcome, Some("outcome"));
        assert_eq!(run.summary(), "These failed: formatting.\n3 passed, 0 failed");
        assert_eq!(run.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn a_good_run_ends_with_its_totals_only() {
        let mut run = Run::default();
        run.step("tests", |totals| {
            *totals += Totals { passed: 3, ..Totals::default() };
            Ok(())
        });
        assert_eq!(run.summary(), "3 passed, 0 failed");
        assert_eq!(run.finish(), ExitCode::SUCCESS);
    }
}
