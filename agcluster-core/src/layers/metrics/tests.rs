use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use super::super::fake::{Fake, id};
use super::*;
use crate::provider::ErrorKind;

type Values = Arc<Mutex<BTreeMap<String, Vec<f64>>>>;

/// Keeps what is recorded, by name and labels.
#[derive(Debug, Default)]
struct Kept(Values);

struct One {
    key: String,
    values: Values,
}

impl One {
    fn push(&self, value: f64) {
        self.values.lock().unwrap().entry(self.key.clone()).or_default().push(value);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

impl ::metrics::CounterFn for One {
    fn increment(&self, value: u64) {
        self.push(value as f64);
    }

    fn absolute(&self, value: u64) {
        self.push(value as f64);
    }
}

impl Kept {
    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key.labels().map(::metrics::Label::value).collect();
        let key = format!("{} {}", key.name(), labels.join(" "));
        Arc::new(One { key, values: Arc::clone(&self.0) })
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

#[test]
fn calls_are_counted_by_outcome_and_timed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let kept = Kept::default();
    with_local_recorder(&kept, || {
        runtime.unwrap().block_on(async {
            let fake = Fake::new().taking(Duration::from_millis(1500));
            let provider = Metrics::new().on(fake.provider());
            let id = id("a");
            provider.inspect(&id).await.unwrap();
            provider.inspect(&id).await.unwrap();
            fake.fail(ErrorKind::RateLimited { retry_after: None });
            provider.inspect(&id).await.unwrap_err();
            let dropped = tokio::time::timeout(Duration::from_secs(1), provider.probe()).await;
            assert!(dropped.is_err());
        });
    });
    let values = kept.0.lock().unwrap();
    let seen: Vec<_> = values.iter().map(|(key, values)| (key.as_str(), values.as_slice())).collect();
    assert_eq!(
        seen,
        [
            ("agcluster_provider_call_seconds fake inspect", [1.5, 1.5, 1.5].as_slice()),
            ("agcluster_provider_calls_total fake inspect ok", [1.0, 1.0].as_slice()),
            ("agcluster_provider_calls_total fake inspect rate_limited", [1.0].as_slice()),
            ("agcluster_provider_calls_total fake probe dropped", [1.0].as_slice()),
        ]
    );
}
