//! Where the numbers go: they are kept in this process and rendered for Prometheus. Their names are in [`measure::ALL`] and [`HTTP`];
//! `docs/observability.md` lists both, and a test holds it against them.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use agcluster_core::measure::{self, Kind, Metric, UnderWay};
use agcluster_core::protocol::Secret;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "agcluster_http_requests_total";
const REQUEST_SECONDS: &str = "agcluster_http_request_seconds";
const UNDER_WAY: &str = "agcluster_http_requests_under_way";

/// The numbers of the HTTP server itself.
pub const HTTP: &[Metric] = &[
    Metric {
        name: REQUESTS,
        kind: Kind::Counter,
        labels: &["method", "route", "status"],
        meaning: "requests that were answered; `route` as it is written in the API's description, or `none`",
    },
    Metric {
        name: REQUEST_SECONDS,
        kind: Kind::Histogram,
        labels: &["method", "route"],
        meaning: "until the head of the answer was there; a stream goes on after it",
    },
    Metric {
        name: UNDER_WAY,
        kind: Kind::Gauge,
        labels: &[],
        meaning: "requests that wait for the head of their answer",
    },
];

/// Bounds of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];
/// How often what was recorded is put into its buckets while nobody reads it.
const UPKEEP: Duration = Duration::from_secs(10);

/// Who may read the numbers.
#[derive(Debug, Clone)]
pub enum MetricsAccess {
    /// Nobody.
    Off,
    /// Whoever reaches the server.
    Everybody,
    /// Whoever has this token.
    With(Secret),
}

/// The numbers of this process; `None` when it records them elsewhere.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS);
        let handle = builder.and_then(PrometheusBuilder::install_recorder);
        let handle =
            handle.inspect_err(|error| tracing::info!(%error, "this process keeps its numbers elsewhere"));
        measure::ALL.iter().chain(HTTP).for_each(Metric::describe);
        handle.ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Keeps what nobody reads from growing. Never ends.
pub(crate) async fn upkeep() {
    let Some(recorder) = recorder() else { return };
    let mut rounds = tokio::time::interval(UPKEEP);
    loop {
        rounds.tick().await;
        recorder.run_upkeep();
    }
}

/// Counts a request and how long it takes.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let begun = Instant::now();
    let under_way = UnderWay::begins(UNDER_WAY);
    let response = next.run(request).await;
    drop(under_way);
    histogram!(REQUEST_SECONDS, "method" => method, "route" => route.clone()).record(begun.elapsed());
    let status = response.status().as_str().to_owned();
    counter!(REQUESTS, "method" => method, "route" => route, "status" => status).increment(1);
    response
}

/// One of a few: a client may make methods up.
fn method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
