//! Requests to agent servers as parts of a trace.

use std::sync::OnceLock;

use http::{HeaderName, HeaderValue, Response};
use tracing::Span;
use tracing::field::Empty;

use super::{AgentError, Result};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the current span is called in a trace that goes beyond this process: a W3C `traceparent`.
pub type Traceparent = fn() -> Option<HeaderValue>;

static CURRENT: OnceLock<Traceparent> = OnceLock::new();

/// Lets every request to an agent server carry what this function says of the current span. Only the first one that is given
/// counts. This library knows spans and no tracing system, so whoever embeds it says how they are called there.
pub fn carry_traces(current: Traceparent) {
    let _ = CURRENT.set(current);
}

/// The header of a request that is made in the current span.
pub(super) fn parent() -> Option<(HeaderName, HeaderValue)> {
    let value = CURRENT.get().and_then(|current| current())?;
    Some((TRACEPARENT, value))
}

/// The span of one request, if it is part of something: what this process does of its own accord is no trace.
pub(super) fn span(operation: &'static str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!("agent_call", otel.kind = "client", operation, status = Empty, error = Empty)
}

/// Says how it went. No word of the container's is recorded.
pub(super) fn record<T>(span: &Span, answer: &Result<Response<T>>) {
    match answer {
        Ok(response) => span.record("status", response.status().as_u16()),
        Err(AgentError::Timeout { .. }) => span.record("error", "timeout"),
        Err(AgentError::Unreachable(_)) => span.record("error", "unreachable"),
        Err(_) => span.record("error", "protocol"),
    };
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::header;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::agent::{AgentClient, TokenKey};
    use crate::provider::{Address, Endpoint};

    #[tokio::test]
    async fn a_request_carries_the_trace_that_it_is_part_of() {
        const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        carry_traces(|| Some(HeaderValue::from_static(TRACE)));
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(204);
        Mock::given(header("traceparent", TRACE)).respond_with(answer).expect(1).mount(&server).await;
        let endpoint = Endpoint::new(Address::Http(server.uri().parse().unwrap()));
        let token = TokenKey::random().unwrap().token("s", 1);
        AgentClient::new(&endpoint, &token).unwrap().ack(1, 1).await.unwrap();
    }
}
