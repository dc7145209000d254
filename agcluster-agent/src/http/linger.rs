//! What is sent to a request that was answered already.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;

/// How long, and how much, is still read. Whoever sends has seen the answer by then.
const TIME: Duration = Duration::from_secs(5);
const MOST: usize = 64 << 20;

/// Reads on for a while and throws away what comes: were the connection closed at once, the sender might see that and
/// not the answer.
pub(crate) fn linger(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut read = 0;
    let reading = async move {
        while let Some(Ok(piece)) = pieces.next().await {
            read += piece.len();
            if read > MOST {
                break;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(TIME, reading));
}
