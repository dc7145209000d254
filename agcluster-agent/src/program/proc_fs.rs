//! The system's list of processes.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// What is known of a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) parent: i32,
    /// The process that began the session it is in, whether or not that still lives.
    pub(super) session: i32,
    pub(super) dead: bool,
}

/// Every process that can be seen.
pub(super) fn processes() -> HashMap<i32, Entry> {
    let Ok(directory) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = directory.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse(&stat)?))
    })
    .collect()
}

/// `pid (name) state parent group session …`, where the name may hold anything, also parentheses.
fn parse(stat: &str) -> Option<Entry> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let dead = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Entry { parent, session, dead })
}

/// All that descends from a process, without itself and without what `spared` is or descends from.
pub(super) fn below(
    processes: &HashMap<i32, Entry>,
    root: i32,
    spared: impl Fn(i32, &Entry) -> bool,
) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, entry) in processes {
        if !spared(*pid, entry) {
            children.entry(entry.parent).or_default().push(*pid);
        }
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.append(&mut children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// This process and all that is below it.
pub(crate) fn own_tree() -> Vec<i32> {
    let own = getpid().as_raw_nonzero().get();
    let mut tree = below(&processes(), own, |_, _| false);
    tree.push(own);
    tree
}

/// Sends a signal to a process, which may be gone.
pub(super) fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let entry = parse("12 (a) Z 1 (b)) S 34 12 11 0").unwrap();
        assert_eq!((entry.parent, entry.session, entry.dead), (34, 11, false));
        assert!(parse("12 (x) Z 1 1 1").unwrap().dead);
        assert!(parse("").is_none());
    }

    #[test]
    fn all_that_descends_is_found_but_what_is_spared() {
        let tree = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 4), (7, 2), (8, 7)];
        let entry = |parent| Entry { parent, session: 0, dead: false };
        let processes = tree.map(|(pid, parent)| (pid, entry(parent))).into();
        let mut found = below(&processes, 2, |_, _| false);
        found.sort_unstable();
        assert_eq!(found, [3, 4, 6, 7, 8]);
        let mut found = below(&processes, 2, |pid, _| pid == 3);
        found.sort_unstable();
        assert_eq!(found, [7, 8]);
    }
}
