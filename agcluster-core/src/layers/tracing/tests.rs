use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::tracing::field::{Field, Visit};
use ::tracing::span::{Attributes, Id, Record};
use ::tracing::{Event, Metadata, Subscriber};

use super::super::fake::{Fake, id, spec};
use super::*;
use crate::provider::{Error, ErrorKind};

type Fields = BTreeMap<String, String>;

/// Keeps the fields of all spans, in the order of their making.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

struct Writer<'a>(&'a mut Fields);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::from([("span".to_owned(), span.metadata().name().to_owned())]);
        span.record(&mut Writer(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let number = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Writer(&mut self.0.lock().unwrap()[number]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn each_call_has_one_span_that_says_what_it_is_and_how_it_failed() {
    let spans = Spans::default();
    let _default = ::tracing::subscriber::set_default(spans.clone());
    let fake = Fake::new();
    let provider = Tracing.on(fake.provider());

    provider.create(spec("s1")).await.unwrap();
    fake.fail_with(Error::new(ErrorKind::Gone, "fake", "endpoint", "m").with_request_id("r1"));
    provider.endpoint(&id("c1")).await.unwrap_err();

    let seen = spans.0.lock().unwrap();
    let (span, platform) = (("span", "provider_call"), ("platform", "fake"));
    assert_eq!(
        *seen,
        [
            fields([span, platform, ("operation", "create"), ("session", "s1")]),
            fields([
                span,
                platform,
                ("operation", "endpoint"),
                ("container", "c1"),
                ("error", "gone"),
                ("request_id", "r1"),
            ]),
        ]
    );
}
