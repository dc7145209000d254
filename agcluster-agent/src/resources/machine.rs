//! The machine as a container or a virtual machine sees it.

use std::fs;

/// Ticks of the kernel's clock in a second, as it tells them to programs, whatever they are inside.
pub(super) const TICKS: u64 = 100;

/// Processor time of all processors since the start.
pub(super) fn cpu_micros() -> Option<u64> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// All of the first line but idling and waiting, which are its fourth and fifth number; guests are in the first two.
fn busy(stat: &str) -> Option<u64> {
    let numbers = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let ticks: u64 =
        numbers.iter().take(8).enumerate().filter(|(at, _)| ![3, 4].contains(at)).map(|(_, n)| n).sum();
    Some(ticks * (1_000_000 / TICKS))
}

/// Memory altogether and in use, in bytes.
pub(super) fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = kibibytes(&text, "MemTotal:")?;
    Some((total, total.saturating_sub(kibibytes(&text, "MemAvailable:")?)))
}

/// A line of a name and a number of kibibytes, in bytes.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let number = text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?;
    number.trim().parse::<u64>().ok().map(|number| number.saturating_mul(1024))
}

/// Bytes received and sent, over everything but the loopback.
pub(super) fn network() -> Option<(u64, u64)> {
    Some(sum_of_devices(&fs::read_to_string("/proc/net/dev").ok()?))
}

fn sum_of_devices(text: &str) -> (u64, u64) {
    let devices = text.lines().filter_map(|line| line.split_once(':'));
    devices.filter(|(name, _)| name.trim() != "lo").fold((0, 0), |(received, sent), (_, numbers)| {
        let number = |at| numbers.split_whitespace().nth(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        (received + number(0), sent + number(8))
    })
}

/// How many processes there are to be seen.
pub(super) fn processes() -> Option<u64> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    u64::try_from(entries.filter(|entry| is_process(&entry.file_name())).count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        assert_eq!(busy("cpu  10 1 5 1000 100 2 3 4 8 9\ncpu0 1 1\n"), Some(25 * 10_000));
        let text = "MemTotal:       16 kB\nMemAvailable:    4 kB\n";
        assert_eq!((kibibytes(text, "MemTotal:"), kibibytes(text, "MemFree:")), (Some(16_384), None));
        let text = "Inter-|   Receive\n face |bytes\n    lo: 9 1 0 0 0 0 0 0 9 1\n  eth0: 100 1 0 0 0 0 0 0 50 1 0\n  eth1:7 0 0 0 0 0 0 0 8 0\n";
        assert_eq!(sum_of_devices(text), (107, 58));
        assert!(processes().is_some_and(|count| count > 0) && memory().is_some() && cpu_micros().is_some());
    }
}
