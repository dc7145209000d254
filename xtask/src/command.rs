//! Running other programs to their end.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::running::Running;

/// Prints what is about to happen, since it may take a while.
pub(crate) fn announce(what: &str) {
    eprintln!("==> {what}");
}

/// The command as one would type it, for messages. No secret is ever an argument here.
pub(crate) fn line(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    command.get_args().fold(name, |line, argument| line + " " + &argument.to_string_lossy())
}

/// Runs `command` with this terminal's output and no input.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("`{}` could not be started", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs `command` and answers what it wrote to standard output, without the white space around it.
///
/// # Errors
/// When it cannot be started or does not succeed; the message carries its last line of error output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}` could not be started", line(command)))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.trim().lines().last().unwrap_or("no message").to_owned();
        bail!("`{}` failed: {last}", line(command));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `command` succeeds within `limit`. Its output is dropped, and it is stopped when it takes longer.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut running) = Running::start(command, || ()) else { return false };
    running.wait(limit).is_ok_and(|status| status.is_some_and(|status| status.success()))
}

/// Where a program called `name` is found, as a shell of root would find it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    search_path().map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// A command from the system's own folders, which a root shell's `PATH` may lack.
pub(crate) fn system(program: &str) -> Command {
    let mut command = Command::new(program);
    if let Ok(path) = std::env::join_paths(search_path()) {
        command.env("PATH", path);
    }
    command
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.into_iter().chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_last_words() {
        let error = output(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]));
        let message = format!("{:#}", error.unwrap_err());
        assert!(message.starts_with("`sh -c") && message.ends_with("failed: last"), "{message}");
        assert!(run(&mut Command::new("false")).is_err());
        assert!(run(&mut Command::new("no-such-program-anywhere")).is_err());
    }

    #[test]
    fn output_is_trimmed() {
        assert_eq!(output(Command::new("echo").arg(" word ")).unwrap(), "word");
    }

    #[test]
    fn a_command_that_takes_too_long_is_stopped() {
        assert!(succeeds_within(&mut Command::new("true"), Duration::from_secs(60)));
        assert!(!succeeds_within(&mut Command::new("false"), Duration::from_secs(60)));
        let begun = std::time::Instant::now();
        assert!(!succeeds_within(Command::new("sleep").arg("600"), Duration::from_millis(50)));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn programs_are_found_in_the_path() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
        let path = output(system("sh").args(["-c", "echo $PATH"])).unwrap();
        assert!(path.contains("/usr/sbin"), "{path}");
    }
}
