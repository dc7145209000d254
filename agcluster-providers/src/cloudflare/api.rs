//! The gateway's wire: the only place that knows its routes, headers and bodies.

mod failure;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub(super) use failure::Failure;
pub(super) use wire::{CreateOrder, Health, Page, Seen, SeenState};

use super::config::{Credentials, Timeouts, is_own_machine};

/// The protocol of the gateway that this client speaks.
pub(super) const PROTOCOL: u32 = 1;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read: a page of containers.
const LONGEST_ANSWER: usize = 4 << 20;
/// The gateway's token. `Authorization` is left to the agent server behind it.
const TOKEN: &str = "x-gateway-authorization";
/// With this, a container that was started anew refuses what was meant for the one before.
const GENERATION: &str = "x-expect-generation";

/// A client of one gateway. Connects with the first call.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    url: Url,
    headers: HeaderMap,
    timeouts: Timeouts,
}

impl Api {
    /// A client that sends these credentials with each call; a sentence when they do not fit into headers or no TLS can be had.
    pub(super) fn new(credentials: &Credentials, timeouts: Timeouts) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(TOKEN, secret(&format!("Bearer {}", credentials.token.expose()))?);
        if let Some((id, value)) = &credentials.access {
            headers.insert("cf-access-client-id", secret(id)?);
            headers.insert("cf-access-client-secret", secret(value.expose())?);
        }
        let client = client(is_own_machine(&credentials.url)).map_err(|error| error.to_string())?;
        Ok(Self { client, url: credentials.url.clone(), headers, timeouts })
    }

    /// Where the gateway is.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Where a container's port is, and what must be sent along to get there.
    pub(super) fn way(&self, id: &str, port: u16, generation: u64) -> Result<(Url, HeaderMap), Failure> {
        let url = self.at(&["v1", "containers", id, "proxy", &port.to_string(), ""])?;
        let mut headers = self.headers.clone();
        headers.insert(GENERATION, HeaderValue::from(generation));
        Ok((url, headers))
    }

    pub(super) async fn health(&self) -> Result<Health, Failure> {
        self.call(Method::GET, self.at(&["v1", "health"])?, None::<&()>, self.timeouts.probe()).await
    }

    /// Answers when the container's agent server does; `ready` is how long that may take.
    pub(super) async fn create(
        &self,
        id: &str,
        order: &CreateOrder,
        ready: Duration,
    ) -> Result<Seen, Failure> {
        let limit = ready + self.timeouts.call();
        self.call(Method::PUT, self.at(&["v1", "containers", id])?, Some(order), limit).await
    }

    pub(super) async fn inspect(&self, id: &str) -> Result<Seen, Failure> {
        let url = self.at(&["v1", "containers", id])?;
        self.call(Method::GET, url, None::<&()>, self.timeouts.call()).await
    }

    pub(super) async fn destroy(&self, id: &str) -> Result<(), Failure> {
        let url = self.at(&["v1", "containers", id])?;
        let _: serde::de::IgnoredAny =
            self.call(Method::DELETE, url, None::<&()>, self.timeouts.call()).await?;
        Ok(())
    }

    /// May answer before the container has ended; asked again it waits on.
    pub(super) async fn stop(&self, id: &str, grace: Duration) -> Result<Seen, Failure> {
        let url = self.at(&["v1", "containers", id, "stop"])?;
        let order = wire::StopOrder { grace_ms: grace.as_millis() };
        self.call(Method::POST, url, Some(&order), grace + self.timeouts.call()).await
    }

    /// Answers when the container's agent server does; `ready` is how long that may take.
    pub(super) async fn start(&self, id: &str, ready: Duration) -> Result<Seen, Failure> {
        let url = self.at(&["v1", "containers", id, "start"])?;
        self.call(Method::POST, url, None::<&()>, ready + self.timeouts.call()).await
    }

    pub(super) async fn extend(&self, id: &str, expires_at: jiff::Timestamp) -> Result<Seen, Failure> {
        let url = self.at(&["v1", "containers", id, "extend"])?;
        self.call(Method::POST, url, Some(&wire::ExtendOrder { expires_at }), self.timeouts.call()).await
    }

    /// One page of the containers that have all these labels.
    pub(super) async fn list(&self, labels: &[String], cursor: Option<&str>) -> Result<Page, Failure> {
        let mut url = self.at(&["v1", "containers"])?;
        url.query_pairs_mut()
            .extend_pairs(labels.iter().map(|label| ("label", label.as_str())))
            .extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        self.call(Method::GET, url, None::<&()>, self.timeouts.call()).await
    }

    fn at(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::nonsense("the gateway's URL has no path"))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<&(impl Serialize + Sync)>,
        limit: Duration,
    ) -> Result<T, Failure> {
        let mut request = self.client.request(method, url).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let exchange = async {
            let response = request.send().await?;
            if !response.status().is_success() {
                return Err(Failure::of(response).await);
            }
            let id = failure::request_id(&response);
            let body = read(response, LONGEST_ANSWER).await?;
            serde_json::from_slice(&body).map_err(|error| {
                Failure::nonsense(&format!("an answer cannot be read: {error}")).of_request(id)
            })
        };
        tokio::time::timeout(limit, exchange).await.map_err(|_| Failure::Timeout)?
    }
}

fn client(direct: bool) -> reqwest::Result<Client> {
    // Another provider may be installed already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        // What leads elsewhere is Cloudflare Access asking a person to log in.
        let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(Policy::none());
        if direct { builder.no_proxy() } else { builder }
    };
    // Without a system certificate store the default cannot be built.
    builder().build().or_else(|_| {
        let roots =
            webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
        builder().tls_certs_only(roots).build()
    })
}

fn secret(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| "a credential has signs that cannot be sent in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a body that must not be longer.
async fn read(response: Response, longest: usize) -> Result<Vec<u8>, Failure> {
    let id = failure::request_id(&response);
    let mut pieces = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece?;
        if body.len() + piece.len() > longest {
            return Err(
                Failure::nonsense(&format!("an answer is longer than {longest} bytes")).of_request(id)
            );
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
