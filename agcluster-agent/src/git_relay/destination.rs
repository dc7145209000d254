//! The repository at the other end.

use std::sync::{Mutex, PoisonError};

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Credentials, RepositoryUrl};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Url};

use super::Call;
use crate::http::Refusal;
use crate::outbound;

/// Whom a token belongs to, for hosts that take any user with it.
const ANY_USER: &str = "x-access-token";
/// How often a host may point elsewhere.
const REDIRECTS: usize = 5;

/// A repository, and what opens it.
#[derive(Debug)]
pub(crate) struct Destination {
    client: Client,
    /// As it was asked for.
    url: Url,
    /// Where it is, once that was found out.
    base: Mutex<Url>,
    credentials: Option<HeaderValue>,
    plain_http: bool,
}

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Unauthorized,
    NotFound,
    /// The host answers with this status.
    Status(StatusCode),
    /// The host does not answer, and why.
    Unreachable(&'static str),
    /// The host points where nobody is let to.
    Redirected,
}

impl Trouble {
    pub(super) fn of(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(Self::Unauthorized),
            StatusCode::NOT_FOUND | StatusCode::GONE => Some(Self::NotFound),
            status if status.is_success() => None,
            status => Some(Self::Status(status)),
        }
    }

    /// What git is told.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Status(_) | Self::Unreachable(_) | Self::Redirected => StatusCode::BAD_GATEWAY,
        }
    }
}

impl Destination {
    /// A repository at this URL.
    pub(crate) fn new(
        url: &RepositoryUrl,
        credentials: Option<&Credentials>,
        plain_http: bool,
    ) -> Result<Self, Refusal> {
        let parsed: Option<Url> = url.as_str().trim_end_matches('/').parse().ok();
        let url = parsed
            .filter(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| Refusal::new(codes::GIT_URL_INVALID, "the URL of the repository is none"))?;
        let client = outbound::client().map_err(|error| {
            tracing::error!(%error, "no HTTP client");
            Refusal::new(
                codes::GIT_UNREACHABLE,
                "no connection to another host can be set up in the container",
            )
        })?;
        let credentials = credentials.map(basic).transpose()?;
        Ok(Self { client, base: Mutex::new(url.clone()), url, credentials, plain_http })
    }

    /// Sends one of git's two requests and gives the answer once its head is there; both bodies are streamed.
    pub(super) async fn send(
        &self,
        call: Call,
        service: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response, Trouble> {
        match call {
            Call::Discover => self.discover(service, headers).await,
            Call::Exchange => {
                let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let request = self.client.post(below(&base, service)).headers(self.opened(headers, &base));
                let body = reqwest::Body::wrap_stream(body.into_data_stream());
                self.answered(request.body(body)).await
            }
        }
    }

    /// Asks what is there, and follows a host that says that it is elsewhere.
    async fn discover(&self, service: &str, headers: HeaderMap) -> Result<Response, Trouble> {
        let mut base = self.url.clone();
        for _ in 0..=REDIRECTS {
            let mut url = below(&base, "info/refs");
            url.set_query(Some(&format!("service={service}")));
            let request = self.client.get(url.clone()).headers(self.opened(headers.clone(), &base));
            let answer = self.answered(request).await?;
            if !answer.status().is_redirection() {
                *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
                return Ok(answer);
            }
            base = self.moved(&url, &answer).ok_or(Trouble::Redirected)?;
        }
        Err(Trouble::Redirected)
    }

    /// Where a redirect leads, if that is a repository that may be asked.
    pub(super) fn moved(&self, from: &Url, answer: &Response) -> Option<Url> {
        let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
        let mut to = from.join(location).ok()?;
        let is_open = to.scheme() == "https" || (to.scheme() == "http" && self.plain_http);
        if !is_open || !to.username().is_empty() || to.password().is_some() || to.query() != from.query() {
            return None;
        }
        let path = to.path().strip_suffix("/info/refs")?.to_owned();
        to.set_path(&path);
        to.set_query(None);
        to.set_fragment(None);
        Some(to)
    }

    /// The headers with the credentials, when the request goes to the host that these are for.
    fn opened(&self, mut headers: HeaderMap, to: &Url) -> HeaderMap {
        if let Some(credentials) = &self.credentials
            && to.origin() == self.url.origin()
        {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        headers
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Response, Trouble> {
        let answer = request.send().await.map_err(|error| {
            let why = outbound::why(&error);
            tracing::debug!(why, error = %error.without_url(), "a repository elsewhere does not answer");
            Trouble::Unreachable(why)
        })?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        outbound::strip(response.headers_mut());
        for name in [header::WWW_AUTHENTICATE, header::SET_COOKIE] {
            response.headers_mut().remove(name);
        }
        *response.body_mut() = Body::from_stream(answer.bytes_stream());
        Ok(response)
    }

    /// What is in the way, for whoever asked for the command.
    pub(super) fn refusal(&self, trouble: Trouble) -> Refusal {
        let host = self.url.host_str().unwrap_or_default();
        match trouble {
            Trouble::Unauthorized if self.credentials.is_some() => Refusal::new(
                codes::GIT_AUTH_FAILED,
                format!(
                    "{host} does not accept these credentials for this: check the token and what it may do"
                ),
            ),
            Trouble::Unauthorized => Refusal::new(
                codes::GIT_AUTH_FAILED,
                format!("{host} asks for credentials: send a token along"),
            ),
            Trouble::NotFound => Refusal::new(
                codes::GIT_REPO_NOT_FOUND,
                format!(
                    "{host} has no such repository, or not for these credentials: check the URL and the token"
                ),
            ),
            Trouble::Status(status) => Refusal::new(
                codes::GIT_UNREACHABLE,
                format!("{host} answers with status {}: check the URL, or try again later", status.as_u16()),
            ),
            Trouble::Unreachable(why) => Refusal::new(
                codes::GIT_UNREACHABLE,
                format!("{host} {why}: check the URL and the network of the container"),
            ),
            Trouble::Redirected => Refusal::new(
                codes::GIT_UNREACHABLE,
                format!("{host} points to a place that is not asked: send the URL of the repository itself"),
            ),
        }
    }
}

fn basic(credentials: &Credentials) -> Result<HeaderValue, Refusal> {
    let user = credentials.username.as_deref().filter(|user| !user.is_empty()).unwrap_or(ANY_USER);
    if user.contains(':') || credentials.token.expose().is_empty() {
        let detail = "the credentials need a token, and a user name without \":\"";
        return Err(Refusal::new(codes::INVALID_REQUEST, detail));
    }
    let pair = STANDARD.encode(format!("{user}:{}", credentials.token.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
        .map_err(|_| Refusal::new(codes::INVALID_REQUEST, "the credentials cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
