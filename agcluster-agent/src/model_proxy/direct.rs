//! The way to the model that begins right here: over the container's own network.

use std::time::Duration;

use agcluster_protocol::ModelAccess;
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use reqwest::{Client, Url};

use super::{ModelRoute, RouteError, headers};
use crate::driver::DriverError;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Direct {
    client: Client,
    base: Url,
    key: HeaderValue,
}

impl Direct {
    pub(super) fn new(access: &ModelAccess) -> Result<Self, DriverError> {
        let invalid = |what: &str| DriverError::Invalid(what.to_owned());
        let base: Url = access
            .base_url
            .parse()
            .map_err(|_| invalid("model_access.base_url is not a URL, such as https://api.anthropic.com"))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(invalid("model_access.base_url must begin with http:// or https://"));
        }
        let mut key = HeaderValue::from_str(access.api_key.expose())
            .map_err(|_| invalid("model_access.api_key has characters that no HTTP header can hold"))?;
        key.set_sensitive(true);
        Ok(Self { client: client()?, base, key })
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{}", self.base.path().trim_end_matches('/'), request.uri().path());
        url.set_path(&path);
        url.set_query(request.uri().query());
        url
    }
}

#[async_trait]
impl ModelRoute for Direct {
    async fn send(&self, request: Request) -> Result<Response, RouteError> {
        let url = self.url(&request);
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        headers.insert(API_KEY, self.key.clone());
        let sent = self
            .client
            .request(parts.method, url)
            .headers(headers)
            .body(reqwest::Body::wrap_stream(body.into_data_stream()))
            .send()
            .await;
        let answer = sent.map_err(|error| self.unreachable(&error))?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        headers::strip(response.headers_mut());
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }
}

impl Direct {
    fn unreachable(&self, error: &reqwest::Error) -> RouteError {
        // The error's own text would repeat the whole URL.
        let host = self.base.host_str().unwrap_or_default();
        let why = if error.is_timeout() {
            "did not answer in time"
        } else if error.is_connect() {
            "cannot be reached"
        } else {
            "broke off the connection"
        };
        tracing::debug!(error = ?error.to_string(), "model call");
        RouteError(format!(
            "the model API at {host} {why}: check the base URL and the network of the container"
        ))
    }
}

/// A client that trusts the system's certificates, or those of the web where the system has none.
fn client() -> Result<Client, DriverError> {
    // Ignored because it fails only when one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
    };
    let client = builder().build().or_else(|_| builder().tls_certs_only(web_roots()).build());
    client.map_err(|error| {
        tracing::error!(%error, "no HTTP client");
        DriverError::StartFailed("the client for the model API cannot be set up".to_owned())
    })
}

fn web_roots() -> impl Iterator<Item = reqwest::Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|root| reqwest::Certificate::from_der(root).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_do_without_the_systems_certificates() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert!(web_roots().count() > 50);
        assert!(Client::builder().tls_certs_only(web_roots()).build().is_ok());
    }
}
