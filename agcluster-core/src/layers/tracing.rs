//! A span for each call.

use ::tracing::Instrument;
use ::tracing::field::Empty;

use super::{Call, Layer, Next};
use crate::provider::Result;

/// Puts each call into a span `provider_call` with `platform`, `operation`, and `session` or `container`, whichever the call names. When it fails, `error` is
/// the kind's [code](crate::provider::ErrorKind::code) and `request_id` the platform's, and an event says the rest. No argument is recorded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracing;

impl Layer for Tracing {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        let span = ::tracing::info_span!(
            "provider_call",
            platform = call.platform,
            operation = call.operation.name(),
            session = call.session,
            container = call.container.map(display),
            error = Empty,
            request_id = Empty,
        );
        let answer = next.run().instrument(span.clone()).await;
        if let Err(error) = &answer {
            span.record("error", error.kind().code());
            if let Some(id) = error.request_id() {
                span.record("request_id", id);
            }
            span.in_scope(|| ::tracing::debug!(%error, retryable = error.is_retryable(), "the call failed"));
        }
        answer
    }
}

#[cfg(test)]
mod tests;
