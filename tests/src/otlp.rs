//! An OpenTelemetry collector that takes spans over HTTP, decodes them, and holds against the sender whatever is wrong with them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a collector has received.
#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    faults: Vec<String>,
}

/// A collector.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    serving: JoinHandle<()>,
}

impl Collector {
    /// One that listens on a port of its own.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::<Mutex<Received>>::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, received, serving })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span so far, in the order in which they came.
    ///
    /// # Errors
    /// When something that was sent was wrong.
    pub fn spans(&self) -> anyhow::Result<Vec<Span>> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(received.faults.is_empty(), "the collector was sent: {}", received.faults.join("; "));
        Ok(received.spans.clone())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(received): State<Arc<Mutex<Received>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(header::HeaderName, &'static str); 1], Vec<u8>) {
    let mut faults = Vec::new();
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/x-protobuf") {
        faults.push("a body whose Content-Type is not application/x-protobuf".to_owned());
    }
    let mut spans = Vec::new();
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => {
            for resource in request.resource_spans {
                let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
                if text(&attributes, "service.name").is_none_or(|name| name.is_empty()) {
                    faults.push("a resource without service.name".to_owned());
                }
                spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        Err(error) => faults.push(format!("a body that is no protobuf of spans: {error}")),
    }
    faults.extend(spans.iter().filter_map(fault));
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    received.spans.append(&mut spans);
    received.faults.append(&mut faults);
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], answer)
}

/// What the specification forbids.
fn fault(span: &Span) -> Option<String> {
    let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|byte| *byte != 0);
    let why = if !is_id(&span.trace_id, 16) {
        "has no trace id"
    } else if !is_id(&span.span_id, 8) {
        "has no id"
    } else if !span.parent_span_id.is_empty() && !is_id(&span.parent_span_id, 8) {
        "has a parent whose id is none"
    } else if span.name.is_empty() {
        "has no name"
    } else if span.end_time_unix_nano < span.start_time_unix_nano {
        "ends before it begins"
    } else {
        return None;
    };
    Some(format!("a span {:?} that {why}", span.name))
}

/// An attribute that is a text.
pub fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
