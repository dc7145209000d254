//! A client's way to a server that comes and goes: it asks again until there is an answer that decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agcluster_tests::system::Api;
use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use super::findings::Phase;

/// How long one thing may take, with all the server's ends in between.
const PATIENCE: Duration = Duration::from_secs(180);
/// The pause before a request is sent again to a server that answered that it cannot now.
const PAUSE: Duration = Duration::from_millis(20);

/// Shared by all clients of a run.
#[derive(Debug)]
pub(crate) struct Line {
    api: Api,
    /// How often the server has come to serve.
    served: watch::Sender<u32>,
    /// Answers and frames that clients have seen.
    seen: watch::Sender<u64>,
    /// What clients wait for.
    doing: Mutex<BTreeMap<Phase, u32>>,
}

/// Something that a client waits for, as long as this is held.
#[derive(Debug)]
pub(crate) struct Doing {
    line: Arc<Line>,
    phase: Phase,
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.line.count(self.phase, |count| count.saturating_sub(1));
    }
}

/// What became of a request.
pub(crate) enum Decided {
    /// It was taken.
    Taken(Response),
    /// There is no such thing.
    Gone,
}

impl Line {
    /// To the server behind this client.
    pub(crate) fn new(api: Api) -> Arc<Self> {
        Arc::new(Self {
            api,
            served: watch::Sender::default(),
            seen: watch::Sender::default(),
            doing: Mutex::default(),
        })
    }

    /// Says that the server serves again.
    pub(crate) fn serves(&self) {
        self.served.send_modify(|times| *times += 1);
    }

    /// Notes that a client has seen something.
    pub(crate) fn saw(&self) {
        self.seen.send_modify(|seen| *seen += 1);
    }

    /// Waits until clients have seen so much more.
    pub(crate) async fn seen(&self, more: u64) {
        let mut seen = self.seen.subscribe();
        let until = *seen.borrow() + more;
        // The sender lives as long as this.
        let _ = seen.wait_for(|seen| *seen >= until).await;
    }

    /// Notes what a client waits for.
    pub(crate) fn doing(self: &Arc<Self>, phase: Phase) -> Doing {
        self.count(phase, |count| count + 1);
        Doing { line: Arc::clone(self), phase }
    }

    /// What clients wait for now.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        doing.iter().filter(|(_, count)| **count > 0).map(|(phase, _)| *phase).collect()
    }

    fn count(&self, phase: Phase, change: impl FnOnce(u32) -> u32) {
        let mut doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let count = doing.entry(phase).or_default();
        *count = change(*count);
    }

    /// Sends a request again and again until it is decided.
    ///
    /// # Errors
    /// When the server refuses it for good, or nothing is decided in time.
    pub(crate) async fn decided(&self, make: impl Fn(&Api) -> RequestBuilder) -> Result<Decided> {
        let mut last = String::new();
        let deciding = async {
            loop {
                let served = *self.served.borrow();
                match make(&self.api).send().await {
                    Ok(response) if response.status().is_success() => {
                        self.saw();
                        return Ok(Decided::Taken(response));
                    }
                    Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                        let body = response.text().await.unwrap_or_default();
                        if !body.contains("session_not_found") {
                            bail!("there is no such route: {body}");
                        }
                        return Ok(Decided::Gone);
                    }
                    Ok(response) => {
                        let (status, body) = (response.status(), response.text().await.unwrap_or_default());
                        self.saw();
                        if !may_work_later(status) {
                            bail!("it was answered {status}: {body}");
                        }
                        last = format!("{status}: {body}");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => {
                        last = format!("{error}");
                        self.again(served).await;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, deciding)
            .await
            .unwrap_or_else(|_| bail!("nothing was decided in {} s; last: {last}", PATIENCE.as_secs()))
    }

    /// Waits for the server to serve again, but not long: an old connection may have broken after it did.
    pub(crate) async fn again(&self, served: u32) {
        let mut serves = self.served.subscribe();
        let _ = tokio::time::timeout(PAUSE * 10, serves.wait_for(|times| *times != served)).await;
    }

    /// How often the server has come to serve.
    pub(crate) fn times_served(&self) -> u32 {
        *self.served.borrow()
    }

    /// The JSON of a route of the server, once there is one.
    ///
    /// # Errors
    /// As [`decided`](Self::decided); also when it is gone.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        match self.decided(|api| api.request(Method::GET, path)).await? {
            Decided::Taken(response) => response.json().await.context("no JSON"),
            Decided::Gone => bail!("{path} is gone"),
        }
    }
}

fn may_work_later(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS)
}
