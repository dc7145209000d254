//! The way to the model that begins right here: over the container's own network.

use agcluster_protocol::ModelAccess;
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use reqwest::{Client, Url};

use super::{ModelRoute, RouteError, headers};
use crate::driver::DriverError;
use crate::outbound;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

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
        let client = outbound::client().map_err(|error| {
            tracing::error!(%error, "no HTTP client");
            DriverError::StartFailed("the client for the model API cannot be set up".to_owned())
        })?;
        Ok(Self { client, base, key })
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
        let host = self.base.host_str().unwrap_or_default();
        let why = outbound::why(error);
        tracing::debug!(error = ?error.to_string(), "model call");
        RouteError(format!(
            "the model API at {host} {why}: check the base URL and the network of the container"
        ))
    }
}
