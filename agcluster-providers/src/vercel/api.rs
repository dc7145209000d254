//! Vercel's wire: the only place that knows it.
//!
//! Every call but a stream has a time-out, and answers small types of this module or a [`Failure`]. Nothing is repeated here:
//! that is for the layers around a provider.

mod commands;
mod failure;
mod files;
mod ndjson;
mod objects;
mod sandboxes;
mod sessions;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub(super) use commands::{Line, Lines, Run};
pub(super) use failure::Failure;
pub(super) use files::{File, pack};
pub(super) use objects::{Command, NetworkBody, Sandbox, Seen, Session, Snapshot, Status, Subnets};
pub(super) use sandboxes::{KeepLast, NewSandbox, Source, Tag, VCpus};

use super::config::{Timeouts, VercelConfig};
use super::credentials::Credentials;
use agcluster_core::provider::Result as ProviderResult;

/// The longest answer that is read; a page of sandboxes is some hundred KiB.
const LONGEST_ANSWER: usize = 8 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the API, for one team and project.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    base: Url,
    pub(super) credentials: Credentials,
    pub(super) timeouts: Timeouts,
}

/// A part of the query.
type Query<'a> = (&'a str, &'a str);

impl Api {
    /// Ready to call; nothing is contacted.
    pub(super) fn new(config: &VercelConfig, credentials: Credentials) -> ProviderResult<Self> {
        // Another provider may be installed already; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(Duration::from_secs(30))
                .redirect(reqwest::redirect::Policy::none())
                .default_headers(HeaderMap::from_iter([
                    (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                    (USER_AGENT, HeaderValue::from_static(concat!("agcluster/", env!("CARGO_PKG_VERSION")))),
                ]))
        };
        // Without a system certificate store the default cannot be built.
        let client = builder().build().or_else(|_| {
            let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                .iter()
                .filter_map(|der| Certificate::from_der(der).ok());
            builder().tls_certs_only(roots).build()
        });
        let client = client.map_err(super::error::no_client)?;
        Ok(Self { client, base: config.api_url.clone(), credentials, timeouts: config.timeouts })
    }

    /// A request to a path of these segments, with the team in its query.
    fn request(&self, method: Method, path: &[&str], query: &[Query<'_>]) -> RequestBuilder {
        let mut url = self.base.clone();
        // A base with a host always has segments; `validate` refuses others.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url.query_pairs_mut().append_pair("teamId", &self.credentials.team).extend_pairs(query);
        self.client.request(method, url).bearer_auth(self.credentials.token.expose())
    }

    /// Sends a request without a body and reads a JSON answer.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[Query<'_>],
        limit: Duration,
    ) -> Result<T, Failure> {
        json(self.request(method, path, query).timeout(limit)).await
    }

    /// The same with a JSON body.
    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[Query<'_>],
        body: &impl Serialize,
        limit: Duration,
    ) -> Result<T, Failure> {
        json(self.request(method, path, query).timeout(limit).body(to_json(body)?)).await
    }

    /// The query of calls that name the project.
    fn in_project(&self) -> Query<'_> {
        ("projectId", &self.credentials.project)
    }
}

fn to_json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::nonsense(format!("a request cannot be written: {error}")))
}

async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let response = answered(request).await?;
    let id = failure::request_id(&response);
    let body = read(response, LONGEST_ANSWER).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::nonsense(format!("an answer cannot be read: {error}")).of_request(id))
}

/// Sends a request; anything but success is a failure.
async fn answered(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().await?;
    if response.status().is_success() { Ok(response) } else { Err(Failure::of(response).await) }
}

/// Reads a body that must not be longer.
async fn read(response: Response, longest: usize) -> Result<Vec<u8>, Failure> {
    let id = failure::request_id(&response);
    let mut pieces = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece?;
        if body.len() + piece.len() > longest {
            return Err(Failure::nonsense(format!("an answer is longer than {longest} bytes")).of_request(id));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
