//! What `/proc` tells of processes.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) state: char,
    /// In ticks since the machine started: with the number it tells a process from every other one.
    pub(super) start_time: u64,
}

impl Stat {
    /// Whether it is more than an exit code that nobody fetched yet.
    pub(super) fn is_alive(self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    pub(super) fn is_stopped(self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// A process, if it is there.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Its name, in parentheses, may hold anything, parentheses too.
fn parse(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    Some(Stat {
        pid: pid.parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

/// All processes.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(pid.and_then(stat));
    }
    Ok(found)
}

/// Whether this is one of its arguments.
pub(super) fn has_argument(pid: i32, argument: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.split(|byte| *byte == 0).any(|seen| seen == argument.as_bytes()))
}

/// Whether its home or its folder for temporary files is below a folder. Processes of others look as if not.
///
/// Its working folder and other variables say nothing: a developer's shell may be there to look.
pub(super) fn lives_in(pid: i32, folder: &Path) -> bool {
    let leads_there = |variable: &[u8]| {
        let value = variable.strip_prefix(b"HOME=").or_else(|| variable.strip_prefix(b"TMPDIR="));
        value.is_some_and(|value| Path::new(OsStr::from_bytes(value)).starts_with(folder))
    };
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(leads_there))
}

/// A name of this run of the machine.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_name_with_parentheses_is_skipped() {
        let text = "42 (a) R (b)) T 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        let expected = Stat { pid: 42, parent: 7, state: 'T', start_time: 12345 };
        assert_eq!(parse(text), Some(expected));
        assert!(expected.is_alive() && expected.is_stopped());
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn this_process_is_found() {
        let own = i32::try_from(std::process::id()).unwrap();
        let seen = all().unwrap().into_iter().find(|stat| stat.pid == own).unwrap();
        assert!(seen.is_alive());
        assert_eq!(stat(own).unwrap().start_time, seen.start_time);
        let program = std::env::args().next().unwrap();
        assert!(has_argument(own, &program) && !has_argument(own, "no such argument"));
        assert!(!lives_in(own, Path::new("/no/such/folder")));
    }

    #[test]
    fn a_process_lives_where_its_home_is() {
        let mut child = std::process::Command::new("cat")
            .env("HOME", "/no/such/home/of/it")
            .env("PWD", "/elsewhere")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Once it answers, it is the program and no longer this one on its way to becoming it.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(lives_in(pid, Path::new("/no/such/home")));
        assert!(!lives_in(pid, Path::new("/no/such/hom")));
        assert!(!lives_in(pid, Path::new("/elsewhere")));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
