//! Running a command in a machine until it ends, within bounds that the platform does not have.
//!
//! The platform gives a command's whole output at the end, as text. So a small script around the command keeps no more of it than was asked
//! for, ends the command after its time, and writes the output in base64, byte for byte.

use std::time::{Duration, Instant};

use agcluster_core::provider::{Error, ErrorKind, ExecOptions, ExecOutput, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::PLATFORM;
use super::api::{Api, Executed, Failure};

/// A command is ended after this long at the latest.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// No more is kept of a stream.
const MOST_OUTPUT: usize = 8 << 20;
/// What the platform may take longer than the command.
const RESERVE_SECONDS: u64 = 5;

/// The exit code of a command that was killed.
const KILLED: i32 = 137;
/// The first line of what the script writes: without it, the script did not run.
const BEGIN: &str = "agcluster";

/// `$1` is how many bytes to keep of each stream, `$2` how many seconds the command has, the rest the command. What is not kept is read all
/// the same, so that the command is not held up. Descriptors 3 and 4 are the script's own streams, 5 takes the exit code, 6 the command's
/// standard error past the first pipe.
const SCRIPT: &str = r#"
command -v timeout >/dev/null && command -v head >/dev/null && command -v base64 >/dev/null || exit 1
echo agcluster
most=$1 seconds=$2
shift 2
exec 3>&1 4>&2
code=$({ { { timeout -s KILL "$seconds" "$@" 3>&- 4>&- 5>&- 6>&- </dev/null; echo $? >&5; } 2>&6 |
  { head -c "$most"; cat >/dev/null; } | base64 >&3; } 6>&1 |
  { head -c "$most"; cat >/dev/null; } | base64 >&4; } 5>&1)
exit "$code"
"#;

/// What running a command failed of.
#[derive(Debug)]
pub(super) enum NotRun {
    /// The platform did not run it.
    Failure(Failure),
    /// It is not to be run, or did not run to its end.
    Error(Error),
}

/// Runs a command.
pub(super) async fn run(
    api: &Api,
    (app, machine): (&str, &str),
    options: &ExecOptions,
) -> std::result::Result<ExecOutput, NotRun> {
    if options.command.is_empty() {
        return Err(NotRun::Error(error(ErrorKind::Invalid, "name a command to run")));
    }
    let seconds = options.timeout.min(LONGEST).as_secs_f64().ceil().max(1.0) as u64;
    let most = options.max_output_bytes.min(MOST_OUTPUT);
    let command = wrapped(&options.command, most, seconds);
    // Base64 with its line ends, twice, and room for what is around it.
    let longest = (most + 1) * 3 + (64 << 10);
    let begun = Instant::now();
    let done = api
        .exec(app, machine, &command, seconds + RESERVE_SECONDS, longest)
        .await
        .map_err(|failure| too_slow(failure, seconds))?;
    let was_late = begun.elapsed() >= Duration::from_secs(seconds);
    if done.exit_code == KILLED && was_late {
        return Err(NotRun::Error(timed_out(seconds)));
    }
    read(&done, most).map_err(NotRun::Error)
}

fn wrapped(command: &[String], most: usize, seconds: u64) -> Vec<String> {
    // One more than is kept, to know whether there was more.
    let bounds = [(most + 1).to_string(), seconds.to_string()];
    let script = ["/bin/sh", "-c", SCRIPT, "sh"].map(str::to_owned);
    script.into_iter().chain(bounds).chain(command.iter().cloned()).collect()
}

fn read(done: &Executed, most: usize) -> Result<ExecOutput> {
    let Some(stdout) = done.stdout.trim_start().strip_prefix(BEGIN) else {
        let message =
            "running a command takes an image with /bin/sh, timeout, head and base64: use another image";
        return Err(error(ErrorKind::Precondition, message));
    };
    let mut output = ExecOutput {
        exit_code: done.exit_code,
        stdout: decode(stdout)?,
        stderr: decode(&done.stderr)?,
        truncated: false,
    };
    if done.exit_signal != 0 && output.exit_code == 0 {
        output.exit_code = 128 + done.exit_signal;
    }
    output.truncated = output.stdout.len() > most || output.stderr.len() > most;
    output.stdout.truncate(most);
    output.stderr.truncate(most);
    Ok(output)
}

fn decode(text: &str) -> Result<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|cause| {
        error(ErrorKind::Protocol, "the output of the command came damaged: try again").with_source(cause)
    })
}

/// The platform's own limit came first, when something that the command left behind holds its output open.
fn too_slow(failure: Failure, seconds: u64) -> NotRun {
    match failure.refusal() {
        Some(refusal) if refusal.status == 408 || refusal.says("deadline_exceeded") => {
            NotRun::Error(timed_out(seconds).with_source(failure))
        }
        _ => NotRun::Failure(failure),
    }
}

fn timed_out(seconds: u64) -> Error {
    error(ErrorKind::Timeout, format!("the command ran longer than {seconds} s and was ended"))
        .retryable(false)
}

fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, "exec", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the script as a machine would.
    async fn in_shell(command: &[&str], most: usize, seconds: u64) -> Executed {
        let command: Vec<_> = command.iter().map(|part| (*part).to_owned()).collect();
        let wrapped = wrapped(&command, most, seconds);
        let done = tokio::process::Command::new(&wrapped[0]).args(&wrapped[1..]).output().await.unwrap();
        Executed {
            exit_code: done.status.code().unwrap(),
            exit_signal: 0,
            stdout: String::from_utf8(done.stdout).unwrap(),
            stderr: String::from_utf8(done.stderr).unwrap(),
        }
    }

    #[tokio::test]
    async fn the_script_keeps_bytes_exit_codes_and_bounds() {
        let done = in_shell(&["sh", "-c", r"printf '\377\000out'; echo wrong >&2; exit 3"], 100, 5).await;
        let expected = ExecOutput {
            exit_code: 3,
            stdout: b"\xff\0out".to_vec(),
            stderr: b"wrong\n".to_vec(),
            truncated: false,
        };
        assert_eq!(read(&done, 100).unwrap(), expected);

        let done = read(&in_shell(&["sh", "-c", "yes | head -c 300000"], 10, 5).await, 10).unwrap();
        assert_eq!((done.stdout.len(), done.truncated, done.exit_code), (10, true, 0));

        let done = read(&in_shell(&["printf", "%s", "$HOME; 'x' \"y\"\n"], 100, 5).await, 100).unwrap();
        assert_eq!(done.stdout, b"$HOME; 'x' \"y\"\n");

        let done = in_shell(&["no-such-command-anywhere"], 100, 5).await;
        assert_eq!(done.exit_code, 127);
        assert_eq!(in_shell(&["sleep", "100"], 100, 1).await.exit_code, KILLED);
    }

    #[test]
    fn a_machine_without_a_shell_is_said() {
        let done = Executed { exit_code: 1, ..Executed::default() };
        assert_eq!(read(&done, 10).unwrap_err().kind(), ErrorKind::Precondition);
        let done = Executed { stdout: "agcluster\n%%%".to_owned(), ..Executed::default() };
        assert_eq!(read(&done, 10).unwrap_err().kind(), ErrorKind::Protocol);
    }
}
