//! Spans of this process for an OpenTelemetry collector, over OTLP (HTTP, protobuf).
//!
//! One trace leads from a request to the calls of the platform and of the agent server that it caused. Spans hold names, ids, statuses and error codes; no
//! prompt, key or other text of a user's or a container's. Log lines are not exported.

use agcluster_core::agent::carry_traces;
use axum::http::{HeaderMap, HeaderValue};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// To the collector at this base URL; `/v1/traces` is added. The service is called `agcluster`, unless `OTEL_SERVICE_NAME` says otherwise, and
    /// `OTEL_EXPORTER_OTLP_HEADERS` and the sampler's variables hold as everywhere. Must not be called from a task: it starts a thread whose client blocks.
    ///
    /// # Errors
    /// One sentence when no client can be made.
    pub fn to(endpoint: &str) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .build()
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {error}"))?;
        let name = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
        let resource = Resource::builder()
            .with_service_name(name.unwrap_or_else(|| "agcluster".to_owned()))
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        carry_traces(traceparent);
        Ok(Self(provider))
    }

    /// Takes part in a subscriber.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = filter_fn(|of| of.is_span() && of.target().starts_with("agcluster"));
        let layer: OpenTelemetryLayer<S, SdkTracer> =
            tracing_opentelemetry::layer().with_tracer(self.0.tracer("agcluster"));
        layer
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left and ends. Blocks for as long as that takes, at most some seconds.
    ///
    /// # Errors
    /// One sentence when something could not be sent.
    pub fn flush(self) -> Result<(), String> {
        self.0.shutdown().map_err(|error| format!("the last spans could not be sent: {error}"))
    }
}

/// Makes a span part of the trace that a request says it belongs to.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // Where no spans are exported there is nothing to be part of.
        let _ = span.set_parent(parent);
    }
}

/// What the current span is called in its trace.
fn traceparent() -> Option<HeaderValue> {
    let context = Span::current().context();
    let span = context.span();
    let own = span.span_context();
    let flags = own.trace_flags().to_u8();
    let text = format!("00-{}-{}-{flags:02x}", own.trace_id(), own.span_id());
    own.is_valid().then(|| HeaderValue::try_from(text).ok()).flatten()
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
