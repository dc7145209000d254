//! The platform's wire: the only place that knows paths, fields and headers.
//!
//! Every call waits for its turn, has a time-out of its own, and answers this module's own small types or a [`Failure`].

mod apps;
mod failure;
mod http;
mod machines;
mod turns;
mod wire;

use std::time::Duration;

use agcluster_core::protocol::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) use failure::{Failure, Refusal};
pub(super) use machines::{Executed, MachinePlan};
pub(super) use wire::Machine;

use super::config::Timeouts;
use turns::{Action, Turns};

/// The longest answer that is read: a list of some thousand machines.
const LONGEST_ANSWER: usize = 64 << 20;

/// A client of the Machines API.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    /// With the version, without a slash at its end.
    base: String,
    authorization: HeaderValue,
    turns: Turns,
    timeouts: Timeouts,
}

/// One request.
struct Call<'a> {
    action: Action,
    /// What the platform counts the action by: an app, a machine, an organisation.
    counted_by: &'a str,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    limit: Duration,
    longest_answer: usize,
}

impl Api {
    /// A client for a configuration that was found valid. Contacts nobody.
    pub(super) fn new(config: &super::FlyMachinesConfig, authorization: &Secret) -> Result<Self, String> {
        let mut authorization = HeaderValue::try_from(authorization.expose())
            .map_err(|_| "the token has signs that no token has".to_owned())?;
        authorization.set_sensitive(true);
        let base = format!("{}/v1", config.api_url());
        let client = http::client(&base).map_err(|error| error.to_string())?;
        let (turns, timeouts) = (Turns::new(config.rate), config.timeouts);
        Ok(Self { client, base, authorization, turns, timeouts })
    }

    /// A request with the usual bounds.
    fn call<'a>(&self, action: Action, counted_by: &'a str, method: Method, path: String) -> Call<'a> {
        Call {
            action,
            counted_by,
            method,
            path,
            query: Vec::new(),
            body: None,
            limit: self.timeouts.call(),
            longest_answer: LONGEST_ANSWER,
        }
    }

    /// Sends a request and reads its answer as JSON.
    async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Failure> {
        let (action, (body, request_id)) = (call.action, self.send(call).await?);
        serde_json::from_slice(&body).map_err(|error| Failure::Nonsense {
            what: format!("the answer to {action:?} cannot be read: {error}"),
            request_id,
        })
    }

    /// Sends a request whose answer says no more than that it was done.
    async fn done(&self, call: Call<'_>) -> Result<(), Failure> {
        self.send(call).await.map(drop)
    }

    /// Sends a request and gives the body of a successful answer, with the id of the request.
    async fn send(&self, call: Call<'_>) -> Result<(Vec<u8>, Option<String>), Failure> {
        self.turns.take(call.action, call.counted_by).await.map_err(Failure::TooMany)?;
        let limit = call.limit;
        tokio::time::timeout(limit, self.exchange(call)).await.map_err(|_| Failure::Timeout)?
    }

    async fn exchange(&self, call: Call<'_>) -> Result<(Vec<u8>, Option<String>), Failure> {
        let mut request = self
            .client
            .request(call.method, format!("{}{}", self.base, call.path))
            .header(AUTHORIZATION, self.authorization.clone());
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(Failure::broken)?;
        let status = response.status();
        let request_id = failure::request_id(response.headers());
        let retry_after = failure::retry_after(response.headers());
        let longest = if status.is_success() { call.longest_answer } else { failure::LONGEST_REFUSAL };
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(Failure::broken)? {
            let room = longest - body.len();
            if piece.len() > room && status.is_success() {
                let what = format!("the answer to {:?} is longer than {longest} bytes", call.action);
                return Err(Failure::Nonsense { what, request_id });
            }
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if body.len() == longest && !status.is_success() {
                break;
            }
        }
        if status.is_success() {
            return Ok((body, request_id));
        }
        Err(Refusal::new(status.as_u16(), &body, request_id, retry_after).into())
    }
}

/// A body. Whatever is sent can be written as JSON.
fn body(value: &impl Serialize) -> Result<Option<Vec<u8>>, Failure> {
    let nonsense =
        |error| Failure::Nonsense { what: format!("a request cannot be written: {error}"), request_id: None };
    serde_json::to_vec(value).map(Some).map_err(nonsense)
}
