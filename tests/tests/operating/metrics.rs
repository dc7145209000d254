use std::collections::{BTreeMap, BTreeSet};

use agcluster_core::journal::{Entry, Patience};
use agcluster_core::measure::{self, Kind, Metric};
use agcluster_core::session::SessionId;
use agcluster_protocol::{EventBody, ModelUsage, Outcome, TurnEnd, Usage};
use agcluster_server::HTTP_METRICS;
use agcluster_tests::system::{Provider, Sample, System};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// The metric that a sample is of, and the labels that only Prometheus' histograms have left out.
fn metric(sample: &Sample) -> (&'static Metric, BTreeSet<&str>) {
    let parts = ["_bucket", "_sum", "_count"];
    let base = parts.iter().find_map(|part| sample.name.strip_suffix(part)).unwrap_or(&sample.name);
    let mut all = measure::ALL.iter().chain(HTTP_METRICS);
    let known = all.find(|metric| metric.name == base).unwrap_or_else(|| panic!("{base} is not documented"));
    let labels = sample.labels.keys().map(String::as_str);
    (known, labels.filter(|label| !(known.kind == Kind::Histogram && *label == "le")).collect())
}

#[tokio::test]
async fn a_launch_and_a_turn_are_seen_in_the_numbers() {
    let system = System::start(Provider::Memory).await.unwrap();
    let api = system.api("key");
    let before = api.numbers().await.unwrap();
    let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
    session.chat("@@say hello").await.unwrap().rest().await.unwrap();
    let refused = api.launch_with(json!({ "config": { "driver": "scripted" }, "provider": "nowhere" })).await;
    assert!(refused.is_err());

    // The scripted agent uses no tokens, so a turn's end says what a model would have used.
    let usage = Usage { input_tokens: 10, output_tokens: 20, cache_read_tokens: 30, cache_write_tokens: 40 };
    let used = ModelUsage { usage, cost_usd: Some(0.25), context_window: None };
    let models = BTreeMap::from([("claude-test-1".to_owned(), used), ("no\nname \"".to_owned(), used)]);
    let end = TurnEnd { usage, models, duration_ms: 1500, ..TurnEnd::bare(Outcome::Completed) };
    let entry = Entry::own(1, None, EventBody::TurnEnded(end));
    let id = SessionId::from_text(&*session.id);
    let journal = system.sessions().journal();
    journal.append(&id, vec![entry], Vec::new(), Patience::Short).await.unwrap();

    let after = api.numbers().await.unwrap();
    let grown = |name: &str, labels: &[(&str, &str)]| after.total(name, labels) - before.total(name, labels);
    let launch_route = [("method", "POST"), ("route", "/api/agents/launch")];
    assert!(grown("agcluster_launches_total", &[("provider", "memory"), ("outcome", "ok")]) >= 1.0);
    assert!(grown("agcluster_launch_seconds_count", &[("provider", "memory")]) >= 1.0);
    assert!(grown("agcluster_turn_first_event_seconds_count", &[]) >= 1.0);
    assert!(grown("agcluster_turns_total", &[("outcome", "completed")]) >= 2.0);
    assert!(grown("agcluster_turn_seconds_sum", &[]) >= 1.5);
    assert!(grown("agcluster_events_total", &[("type", "text")]) >= 1.0);
    assert!(grown("agcluster_store_commits_total", &[("outcome", "ok")]) >= 3.0);
    assert!(grown("agcluster_store_commit_seconds_count", &[]) >= 3.0);
    assert!(grown("agcluster_store_changes_total", &[]) >= grown("agcluster_store_commits_total", &[]));
    assert!(grown("agcluster_provider_calls_total", &[("operation", "create"), ("outcome", "ok")]) >= 1.0);
    assert!(grown("agcluster_provider_call_seconds_count", &[("operation", "create")]) >= 1.0);
    assert!(grown("agcluster_http_request_seconds_count", &launch_route) >= 2.0);
    assert!(
        grown("agcluster_http_requests_total", &[("route", "/api/agents/launch"), ("status", "400")]) >= 1.0
    );
    for (kind, tokens) in [("input", 10.0), ("output", 20.0), ("cache_read", 30.0), ("cache_write", 40.0)] {
        for model in ["claude-test-1", "other"] {
            let labels = [("model", model), ("kind", kind)];
            assert_eq!(grown("agcluster_tokens_total", &labels), tokens, "{labels:?}");
        }
    }
    assert_eq!(grown("agcluster_cost_microdollars_total", &[("model", "claude-test-1")]), 250_000.0);

    let mut seen = BTreeSet::new();
    for sample in after.samples() {
        let (metric, labels) = metric(sample);
        assert_eq!(labels, metric.labels.iter().copied().collect(), "the labels of {}", sample.name);
        let private = [session.id.as_str(), "key"];
        assert!(sample.labels.values().all(|value| !private.contains(&value.as_str())), "{sample:?}");
        seen.insert(metric.name);
    }
    for metric in measure::ALL.iter().chain(HTTP_METRICS) {
        assert!(seen.contains(metric.name), "{} is documented, but was not seen", metric.name);
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_numbers_can_be_kept_to_oneself_or_off() {
    let system =
        System::start_with(Provider::Memory, &["--metrics-token=sixteen-characters-of-it"]).await.unwrap();
    for key in ["", "something-else"] {
        let answer = system.api(key).get("/metrics").await.unwrap();
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "metrics_token_required"));
    }
    let answer =
        system.api("sixteen-characters-of-it").request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    system.stop().await.unwrap();

    let system = System::start_with(Provider::Memory, &["--metrics=false"]).await.unwrap();
    let answer = system.api("").get("/metrics").await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "metrics_off"));
    system.stop().await.unwrap();
}

#[test]
fn the_documentation_lists_every_metric_with_its_labels() {
    let page = include_str!("../../../docs/observability.md");
    for Metric { name, labels, meaning, .. } in measure::ALL.iter().chain(HTTP_METRICS) {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let row = format!("| `{name}` | {labels} | {meaning} |");
        assert!(page.contains(&row), "docs/observability.md lacks: {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `agcluster_")).count();
    assert_eq!(
        rows,
        measure::ALL.len() + HTTP_METRICS.len(),
        "docs/observability.md lists what does not exist"
    );
}
