use agcluster_core::measure::{self, Kind};
use agcluster_server::HTTP_METRICS;
use serde_json::Value;

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => found.push(text.clone()),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// The names of metrics in a query.
fn names(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("agcluster_")).collect()
}

#[test]
fn every_query_asks_for_metrics_that_exist() {
    let text = include_str!("../../../docs/observability/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let series: Vec<String> = measure::ALL
        .iter()
        .chain(HTTP_METRICS)
        .flat_map(|metric| match metric.kind {
            Kind::Histogram => {
                ["_bucket", "_sum", "_count"].map(|part| format!("{}{part}", metric.name)).to_vec()
            }
            Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
        })
        .collect();
    let mut all = Vec::new();
    queries(&dashboard["panels"], &mut all);
    assert!(all.len() > 15, "only {} queries", all.len());
    for query in &all {
        assert!(!names(query).is_empty(), "{query} asks for nothing of ours");
        for name in names(query) {
            assert!(series.iter().any(|known| known == name), "{query}: {name} does not exist");
        }
    }
    let asked: Vec<&str> = all.iter().flat_map(|query| names(query)).collect();
    for metric in measure::ALL.iter().chain(HTTP_METRICS) {
        let shown = asked.iter().any(|name| name.starts_with(metric.name));
        assert!(shown, "the dashboard does not show {}", metric.name);
    }
}
