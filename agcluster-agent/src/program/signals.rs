//! Signals that this process hears without doing anything about them: those that it was started with ignored, as a shell's
//! background jobs and what `nohup` runs are, and hang-ups. What is started here would inherit what is ignored: an interrupt
//! that is typed in a terminal would do nothing.

use std::fs;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// What keyboards, terminals and shells send. Not among them: what stops a process in the background that uses its terminal, since
/// that is tried again and again where it is heard; and `SIGPIPE`, which is ignored here on purpose, and in nothing that is started.
const USUAL: [Signal; 9] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::TERM,
    Signal::CONT,
    Signal::TSTP,
];

/// Hears the signals that are ignored, and hang-ups, from now on. For this process that is the same; in what it starts, they do what they usually do,
/// since a program begins with what is ignored ignored, and with what is heard as usual.
pub(super) fn hear() {
    let ignored = fs::read_to_string("/proc/self/status").ok().and_then(|status| ignored(&status));
    for number in USUAL.map(Signal::as_raw) {
        // A hang-up is always heard, and nothing is done about it: the kernel hangs up on what stands still when whoever started it
        // dies, which is no reason for it to die, too.
        if number != Signal::HUP.as_raw() && ignored.unwrap_or_default() & (1 << (number - 1)) == 0 {
            continue;
        }
        // It stays heard when nobody waits for it.
        if let Err(error) = signal(SignalKind::from_raw(number)) {
            tracing::warn!(number, %error, "a signal stays ignored in what is started");
        }
    }
}

/// The signals that are ignored: the lowest bit is that of the first.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_stands_in_the_status() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001007\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1007));
        assert_eq!(ignored("Name:\tx\n"), None);
        assert!(fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored(&status).is_some()));
    }
}
