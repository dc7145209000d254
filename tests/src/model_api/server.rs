//! The server: routes in, answers out.

mod routes;
#[cfg(test)]
mod tests;

use super::gate::Gates;
use super::id::Ids;
use super::options::Options;
use super::record::{Record, RecordedRequest, Violation};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Conversations whose refused attempts are counted.
const MOST_ATTEMPTS: usize = 10_000;

/// A running scripted model API. Dropping it stops the server and breaks off the answers under way.
#[derive(Debug)]
pub struct ModelApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

/// What the routes share with the handle.
#[derive(Debug)]
struct Shared {
    options: Options,
    ids: Ids,
    gates: Arc<Gates>,
    record: Arc<Record>,
    attempts: Mutex<Attempts>,
    stop: CancellationToken,
}

impl ModelApi {
    /// Binds the address and serves in the background.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            ids: Ids::new(),
            gates: Arc::default(),
            record: Arc::new(Record::new(options.keep_requests, options.keep_bytes)),
            attempts: Mutex::default(),
            stop: CancellationToken::new(),
            options,
        });
        let app = routes::app(Arc::clone(&shared));
        let stop = shared.stop.clone();
        let serving = tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the scripted model API has ended");
            }
        });
        Ok(Self { address, shared, serving: Some(serving) })
    }

    /// Stops the server and waits until it has gone. Answers under way are broken off.
    pub async fn stop(mut self) {
        self.shared.stop.cancel();
        if let Some(serving) = self.serving.take()
            && let Err(error) = serving.await
        {
            tracing::error!(%error, "the scripted model API has failed");
        }
    }

    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that is bound.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The base URL for a client that reaches this machine under the given name or address. An IPv6 address needs
    /// its brackets.
    pub fn url_for(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port())
    }

    /// Lets answers pass the gate, those that wait and those to come. Opening twice does nothing more.
    pub fn open(&self, gate: &str) {
        self.shared.gates.named(gate).opened.cancel();
    }

    /// Waits until an answer has come to the gate: the first half of its text has been handed to the connection.
    /// Ready at once when one has been there before. May be dropped at any time.
    pub async fn reached(&self, gate: &str) {
        self.shared.gates.named(gate).reached.cancelled().await;
    }

    /// All requests that are kept, oldest first.
    pub fn requests(&self) -> Vec<Arc<RecordedRequest>> {
        self.shared.record.requests()
    }

    /// The kept requests for an answer of the model (`POST /v1/messages`) that came from this session of the
    /// agent, oldest first.
    pub fn requests_of(&self, session: &str) -> Vec<Arc<RecordedRequest>> {
        let mut requests = self.requests();
        requests.retain(|request| request.is_messages() && request.session() == Some(session));
        requests
    }

    /// Waits for a kept request that fulfils the condition, which is also asked again when the outcome of a request
    /// becomes known. It waits without limit: put a time-out around it. May be dropped at any time. The condition must
    /// not ask this server anything: it is asked while the record is held.
    pub async fn wait_for(&self, condition: impl Fn(&RecordedRequest) -> bool) -> Arc<RecordedRequest> {
        self.shared.record.wait_for(condition).await
    }

    /// What was wrong with requests so far, at most the first thousand.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.record.violations()
    }

    /// Fails the test when a request was wrong.
    ///
    /// # Panics
    ///
    /// When there is a violation; the message lists them.
    #[track_caller]
    pub fn assert_clean(&self) {
        let violations: Vec<_> = self.violations().iter().map(Violation::to_string).collect();
        assert!(violations.is_empty(), "the model API was sent wrong requests:\n{}", violations.join("\n"));
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        // The serving task and every connection see this and end by themselves.
        self.shared.stop.cancel();
    }
}

/// How often each conversation was refused. The script is in the request, so this is the only thing the server must
/// remember of one.
#[derive(Debug, Default)]
struct Attempts {
    counts: HashMap<u64, u32>,
    order: VecDeque<u64>,
}

impl Shared {
    /// Counts an attempt and says whether it is among the first `times`.
    fn is_refused(&self, conversation: u64, times: u32) -> bool {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if !attempts.counts.contains_key(&conversation) {
            attempts.order.push_back(conversation);
            if attempts.order.len() > MOST_ATTEMPTS
                && let Some(oldest) = attempts.order.pop_front()
            {
                attempts.counts.remove(&oldest);
            }
        }
        let count = attempts.counts.entry(conversation).or_default();
        if *count < times {
            *count += 1;
            return true;
        }
        false
    }
}
