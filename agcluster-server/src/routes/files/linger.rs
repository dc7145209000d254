//! Saying no to somebody who is still sending.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// How long, and how much, is still read behind a refusal.
const TIME: Duration = Duration::from_secs(2);
const MOST: usize = 8 << 20;

/// Reads on for a moment behind a refusal and throws away what comes: were the connection closed at once, whoever sends
/// might see that and not the answer. What is sent beyond that is not read.
pub(crate) async fn linger(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let request = Request::from_parts(parts, Body::from_stream(shared.clone()));
    let response = next.run(request).await;
    if !response.status().is_success() {
        tokio::spawn(tokio::time::timeout(TIME, async move {
            let mut rest = shared;
            let mut read = 0;
            while let Some(Ok(piece)) = rest.next().await {
                read += piece.len();
                if read > MOST {
                    break;
                }
            }
        }));
    }
    response
}

/// A body that a handler reads and may leave.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Stream for Shared {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
