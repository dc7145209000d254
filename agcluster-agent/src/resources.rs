//! What the container uses. Nothing is measured while nobody asks.

mod cgroup;
mod machine;
mod reading;
mod tree;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use agcluster_protocol::resources::{CpuUse, Measured, NetworkUse, ResourceUse};
use rustix::thread::{CpuSet, sched_getaffinity};
use tokio::sync::Mutex;
use tokio::time::Instant;

use reading::Reading;

/// The shortest time over which processor time is measured.
const SHORTEST: Duration = Duration::from_millis(250);
/// After so long without a question, the last reading says nothing about now.
const LONGEST: Duration = Duration::from_secs(10);

/// Measures when it is asked.
pub(crate) struct Meter {
    measured: Measured,
    workspace: PathBuf,
    last: Mutex<Option<Last>>,
}

struct Last {
    at: Instant,
    reading: Reading,
    told: Option<ResourceUse>,
}

impl Meter {
    pub(crate) fn new(measured: Measured, workspace: PathBuf) -> Self {
        Self { measured, workspace, last: Mutex::default() }
    }

    /// What is used now. The first one who asks waits a moment; many who ask at once share an answer.
    pub(crate) async fn measure(&self) -> io::Result<ResourceUse> {
        if self.measured == Measured::Nothing {
            return Ok(ResourceUse::default());
        }
        let mut last = self.last.lock().await;
        let before = match last.take() {
            Some(before) if before.at.elapsed() < SHORTEST && before.told.is_some() => {
                let told = before.told.clone().unwrap_or_default();
                *last = Some(before);
                return Ok(told);
            }
            Some(before) if before.at.elapsed() < LONGEST => before,
            _ => Last { at: Instant::now(), reading: self.read().await?, told: None },
        };
        tokio::time::sleep_until(before.at + SHORTEST).await;
        let (at, reading) = (Instant::now(), self.read().await?);
        let told = told(self.measured, &before.reading, &reading, at - before.at);
        *last = Some(Last { at, reading, told: Some(told.clone()) });
        Ok(told)
    }

    async fn read(&self) -> io::Result<Reading> {
        let (measured, workspace) = (self.measured, self.workspace.clone());
        // Files of the kernel's, which may keep a thread for a moment.
        tokio::task::spawn_blocking(move || Reading::take(measured, &workspace))
            .await
            .map_err(io::Error::other)
    }
}

/// What two readings say.
#[allow(clippy::cast_precision_loss, reason = "fractions of a per cent do not count")]
fn told(measured: Measured, before: &Reading, now: &Reading, time: Duration) -> ResourceUse {
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / time.as_secs_f64();
    let cpu = before.cpu_micros.zip(now.cpu_micros).map(|(before, now_micros)| CpuUse {
        percent: (rate(before, now_micros) / 100.0).round() / 100.0,
        count: processors(),
        limit: now.cpu_limit,
    });
    let network = before.network.zip(now.network).map(|(before, now)| NetworkUse {
        received_bytes: now.0,
        sent_bytes: now.1,
        received_per_second: rate(before.0, now.0).round(),
        sent_per_second: rate(before.1, now.1).round(),
    });
    ResourceUse { measured, cpu, memory: now.memory, disk: now.disk, network, processes: now.processes }
}

fn processors() -> u32 {
    sched_getaffinity(None).as_ref().map_or(1, CpuSet::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_measured_where_nothing_can_be_told_apart() {
        let meter = Meter::new(Measured::Nothing, "/".into());
        assert_eq!(meter.measure().await.unwrap(), ResourceUse::default());
    }

    #[tokio::test(start_paused = true)]
    async fn this_process_uses_something() {
        let meter = Meter::new(Measured::ProcessTree, std::env::temp_dir());
        let told = meter.measure().await.unwrap();
        assert!(told.memory.is_some_and(|memory| memory.used_bytes > 1 << 20), "{told:?}");
        assert!(told.disk.is_some_and(|disk| disk.total_bytes >= disk.used_bytes), "{told:?}");
        assert!(told.cpu.is_some_and(|cpu| cpu.percent >= 0.0 && cpu.count > 0), "{told:?}");
        assert!(told.network.is_none() && told.processes.is_some_and(|count| count > 0), "{told:?}");
        // Who asks at once gets the same.
        assert_eq!(meter.measure().await.unwrap(), told);
    }

    #[test]
    fn rates_follow_from_two_readings() {
        let before = Reading { cpu_micros: Some(1_000_000), network: Some((100, 0)), ..Reading::default() };
        let now = Reading { cpu_micros: Some(4_000_000), network: Some((300, 50)), ..Reading::default() };
        let told = told(Measured::Container, &before, &now, Duration::from_secs(2));
        assert_eq!(told.cpu.unwrap().percent, 150.0);
        let network = told.network.unwrap();
        assert_eq!((network.received_per_second, network.sent_per_second), (100.0, 25.0));
        assert_eq!((network.received_bytes, network.sent_bytes), (300, 50));
    }
}
