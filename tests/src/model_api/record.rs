//! What was asked: every request, what became of it, and what was wrong with it.

mod request;
#[cfg(test)]
mod tests;

pub use request::{Outcome, RecordedRequest};

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Violations that are kept; a test is to fail on the first.
const MOST_VIOLATIONS: usize = 1_000;

/// A request that the vendor would have refused, or that the script could not be played for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Number of the request, as in [`RecordedRequest::number`].
    pub request: u64,
    /// What was wrong.
    pub sentence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "request {}: {}", self.request, self.sentence)
    }
}

/// The bounded record.
#[derive(Debug)]
pub(super) struct Record {
    kept: Mutex<Kept>,
    /// Counts every change, so that who waits looks again.
    changes: watch::Sender<u64>,
    most_requests: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Arc<RecordedRequest>>,
    violations: VecDeque<Violation>,
    bytes: usize,
    received: u64,
}

impl Record {
    pub(super) fn new(most_requests: usize, most_bytes: usize) -> Self {
        let most_requests = most_requests.max(1);
        Self { kept: Mutex::default(), changes: watch::Sender::new(0), most_requests, most_bytes }
    }

    /// Keeps a request and gives the ticket through which its outcome is told.
    pub(super) fn add(
        self: &Arc<Self>,
        method: Method,
        path: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Ticket {
        let mut kept = self.lock();
        kept.received += 1;
        kept.bytes += body.len();
        let request = Arc::new(RecordedRequest::new(kept.received, method, path, headers, body));
        kept.requests.push_back(Arc::clone(&request));
        // The newest always stays: a test has just sent it.
        while kept.requests.len() > 1
            && (kept.requests.len() > self.most_requests || kept.bytes > self.most_bytes)
        {
            if let Some(oldest) = kept.requests.pop_front() {
                kept.bytes -= oldest.body().len();
            }
        }
        drop(kept);
        self.changed();
        Ticket { record: Arc::clone(self), request }
    }

    pub(super) fn violation(&self, request: u64, sentence: String) {
        let mut kept = self.lock();
        if kept.violations.len() < MOST_VIOLATIONS {
            kept.violations.push_back(Violation { request, sentence });
        }
        drop(kept);
        self.changed();
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        self.lock().violations.iter().cloned().collect()
    }

    pub(super) fn requests(&self) -> Vec<Arc<RecordedRequest>> {
        self.lock().requests.iter().cloned().collect()
    }

    /// The oldest kept request that fulfils the condition, as soon as there is one.
    pub(super) async fn wait_for(
        &self,
        condition: impl Fn(&RecordedRequest) -> bool,
    ) -> Arc<RecordedRequest> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = self.lock().requests.iter().find(|request| condition(request)) {
                return Arc::clone(found);
            }
            // The sender lives as long as `self`.
            let _still_there = changes.changed().await;
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the outcome of one request. Dropped without a word, the client has gone: the server drops the answer of a
/// connection that was closed.
#[derive(Debug)]
pub(super) struct Ticket {
    record: Arc<Record>,
    request: Arc<RecordedRequest>,
}

impl Ticket {
    pub(super) fn request(&self) -> &RecordedRequest {
        &self.request
    }

    pub(super) fn violation(&self, sentence: String) {
        self.record.violation(self.request.number(), sentence);
    }

    /// Only the first word counts.
    pub(super) fn settle(&self, outcome: Outcome) {
        if self.request.settle(outcome) {
            self.record.changed();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Outcome::Disconnected);
    }
}
