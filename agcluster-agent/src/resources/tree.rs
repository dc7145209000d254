//! The agent server and everything below it, where the machine is others', too.

use std::fs;

use agcluster_protocol::resources::MemoryUse;

use super::machine::{TICKS, kibibytes};
use super::reading::Reading;
use crate::program::own_tree;

/// What these processes use, and what those that have ended below them have used.
pub(super) fn read() -> Reading {
    let processes = own_tree();
    let ticks: u64 = processes.iter().filter_map(|pid| ticks(&file(*pid, "stat")?)).sum();
    let resident = processes.iter().filter_map(|pid| kibibytes(&file(*pid, "status")?, "VmRSS:"));
    Reading {
        cpu_micros: Some(ticks * (1_000_000 / TICKS)),
        memory: Some(MemoryUse { used_bytes: resident.sum(), limit_bytes: None }),
        processes: u64::try_from(processes.len()).ok(),
        ..Reading::default()
    }
}

fn file(pid: i32, name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/{name}")).ok()
}

/// The processor time of a process and of those of its children that have ended.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    // From the state, which is the third field, to the fourteenth.
    let numbers = after_name.split(' ').skip(11).take(4);
    Some(numbers.filter_map(|number| number.parse::<u64>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_the_process_and_of_its_ended_children_counts() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194304 100 200 0 0 7 3 20 5 20 0 1 0 12345";
        assert_eq!(ticks(stat), Some(35));
    }
}
