//! Logs, archives and measurements.

use std::time::Duration;

use agcluster_core::provider::{LogLine, LogOptions, LogSource, Stats};
use bollard::container::LogOutput;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, LogsOptionsBuilder,
    StatsOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};

use super::stamps::Stamps;
use super::{Api, Failure, bounded};

impl Api {
    /// A container's own output, oldest first.
    pub(in super::super) fn logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> BoxStream<'static, Result<LogLine, Failure>> {
        let LogOptions { tail, follow, after } = options;
        let tail =
            tail.filter(|_| after.is_none()).map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let asked =
            LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).follow(follow).tail(&tail);
        let asked = match after {
            None => asked,
            // All of that second: of one time there may be several pieces.
            Some(after) => asked.since(i32::try_from(after.number / 1_000_000_000).unwrap_or(i32::MAX)),
        };
        let pieces = self.docker.logs(name, Some(asked.build()));
        let mut stamps = Stamps::of(name, after);
        let lines = pieces.filter_map(move |piece| {
            let line = piece.map(|piece| {
                let is_error = matches!(piece, LogOutput::StdErr { .. });
                let source = if is_error { LogSource::Stderr } else { LogSource::Stdout };
                stamps.read(source, piece.into_bytes())
            });
            std::future::ready(line.map_err(Failure::from).transpose())
        });
        // Who follows waits for as long as nothing is said.
        if follow { lines.boxed() } else { unless_stalled(lines, self.timeouts.call()).boxed() }
    }

    /// What a container uses now; `None` when it does not run.
    pub(in super::super) async fn stats(&self, name: &str) -> Result<Option<Stats>, Failure> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut answers = self.docker.stats(name, Some(options)).boxed();
        let first = bounded(self.timeouts.call(), async { answers.next().await.transpose() }).await?;
        // Docker answers with zeros for what stands still, Podman with nothing.
        Ok(first.as_ref().and_then(stats_of))
    }

    /// A folder as a tar stream, its entries relative to it. Answers when the first bytes are there.
    pub(in super::super) async fn download(
        &self,
        name: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure> {
        // With `/.` behind it the engine leaves the folder's own name out.
        let inside = format!("{}/.", path.trim_end_matches('/'));
        let options = DownloadFromContainerOptionsBuilder::new().path(&inside).build();
        let pieces = self.docker.download_from_container(name, Some(options));
        let mut pieces =
            unless_stalled(pieces.map(|piece| piece.map_err(Failure::from)), self.timeouts.archive()).boxed();
        match pieces.next().await {
            Some(first) => Ok(stream::iter([Ok(first?)]).chain(pieces).boxed()),
            None => Err(Failure::Nonsense("an archive without any byte".to_owned())),
        }
    }

    /// Unpacks a tar stream into a folder.
    pub(in super::super) async fn upload(
        &self,
        name: &str,
        path: &str,
        tar: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Failure> {
        if self.facts.podman && self.file_size(name, path).await?.is_none() {
            // It would take the archive and drop it.
            return Err(Failure::Refused { status: 404, message: "no such file or directory".to_owned() });
        }
        let options = UploadToContainerOptionsBuilder::new().path(path).build();
        let upload = self.docker.upload_to_container(name, Some(options), bollard::body_try_stream(tar));
        bounded(self.timeouts.archive(), upload).await
    }

    /// The size of a file in a container, if it is there.
    pub(in super::super) async fn file_size(&self, name: &str, path: &str) -> Result<Option<i64>, Failure> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let info = self.docker.get_container_archive_info(name, Some(options));
        match bounded(self.timeouts.call(), info).await {
            Ok(info) => Ok(Some(info.size)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// The same stream, ending in a time-out when the next piece takes longer than `limit`.
fn unless_stalled<T: Send + 'static>(
    pieces: impl Stream<Item = Result<T, Failure>> + Send + 'static,
    limit: Duration,
) -> impl Stream<Item = Result<T, Failure>> + Send {
    stream::unfold(Some(pieces.boxed()), move |pieces| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(limit, pieces.next()).await {
            Ok(piece) => piece.map(|piece| (piece, Some(pieces))),
            Err(_) => Some((Err(Failure::Timeout), None)),
        }
    })
}

/// Reads both kernels' ways of counting memory. A container that stands still has no process.
fn stats_of(measured: &ContainerStatsResponse) -> Option<Stats> {
    let pids = measured.pids_stats.as_ref().and_then(|pids| pids.current).filter(|pids| *pids > 0)?;
    let memory = measured.memory_stats.clone().unwrap_or_default();
    let detail = memory.stats.unwrap_or_default();
    // cgroup v1 has the total of the group under one name, v2 under the other.
    let droppable = ["total_inactive_file", "inactive_file"].into_iter().find_map(|key| detail.get(key));
    let cpu = measured.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref());
    let networks = measured.networks.as_ref();
    let sum = |count: fn(&bollard::models::ContainerNetworkStats) -> Option<u64>| {
        networks.map_or(0, |networks| networks.values().filter_map(count).sum())
    };
    Some(Stats {
        cpu_nanos: cpu.and_then(|cpu| cpu.total_usage).unwrap_or(0),
        memory_bytes: memory.usage.unwrap_or(0).saturating_sub(droppable.copied().unwrap_or(0)),
        memory_limit_bytes: memory.limit,
        pids: Some(pids),
        network_received_bytes: sum(|network| network.rx_bytes),
        network_sent_bytes: sum(|network| network.tx_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(key: &str) -> ContainerStatsResponse {
        let text = format!(
            r#"{{"pids_stats": {{"current": 3}}, "cpu_stats": {{"cpu_usage": {{"total_usage": 7}}}},
                "memory_stats": {{"usage": 100, "limit": 1000, "stats": {{"{key}": 40}}}},
                "networks": {{"eth0": {{"rx_bytes": 1, "tx_bytes": 2}}, "eth1": {{"rx_bytes": 10, "tx_bytes": 20}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn both_kernels_ways_of_counting_are_read() {
        let expected = Stats {
            cpu_nanos: 7,
            memory_bytes: 60,
            memory_limit_bytes: Some(1000),
            pids: Some(3),
            network_received_bytes: 11,
            network_sent_bytes: 22,
        };
        assert_eq!(stats_of(&measured("total_inactive_file")), Some(expected));
        assert_eq!(stats_of(&measured("inactive_file")), Some(expected));
    }

    #[test]
    fn what_stands_still_has_no_measurements() {
        assert_eq!(stats_of(&serde_json::from_str(r#"{"pids_stats": {}}"#).unwrap()), None);
    }

    #[tokio::test]
    async fn a_stream_that_stalls_ends_in_a_time_out() {
        let stalled = stream::iter([Ok(1)]).chain(stream::pending());
        let seen: Vec<_> = unless_stalled(stalled, Duration::from_millis(5)).collect().await;
        assert!(matches!(seen[..], [Ok(1), Err(Failure::Timeout)]));
    }
}
