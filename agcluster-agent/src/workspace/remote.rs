//! Git commands that go to a repository elsewhere.
//!
//! They come to the agent server with credentials, and go on to the workspace without: with the port in their place that
//! lets this one command through.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace::git::{
    CloneRequest, Credentials, Progress, Remote, RepositoryUrl, SyncRequest, routes,
};
use agcluster_protocol::workspace::{self as workspace_codes, PREFIX};
use agcluster_protocol::{Problem, codes};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Host;
use crate::git_relay::{Destination, GitRelay, Service};
use crate::http::{JsonBody, Refusal};
use crate::session::problem;

/// The longest silence on the stream of a command.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The largest body of a request.
const MOST_REQUEST: usize = 256 << 10;
/// The largest answer of the workspace.
const MOST_ANSWER: usize = 64 << 10;

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Clone,
    Fetch,
    Pull,
    Push,
}

impl Command {
    /// The command that a request is for, if it is one of these.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let route = request.uri().path().strip_prefix(PREFIX)?;
        let command = [Self::Clone, Self::Fetch, Self::Pull, Self::Push];
        let is_it = |command: &Self| request.method() == Method::POST && command.route() == route;
        command.into_iter().find(is_it)
    }

    fn route(self) -> &'static str {
        match self {
            Self::Clone => routes::CLONE,
            Self::Fetch => routes::FETCH,
            Self::Pull => routes::PULL,
            Self::Push => routes::PUSH,
        }
    }

    fn service(self) -> Service {
        match self {
            Self::Push => Service::Push,
            Self::Clone | Self::Fetch | Self::Pull => Service::Fetch,
        }
    }
}

/// Carries a command out and tells of it as it goes on. Dropping the answer's body ends the command.
pub(super) async fn carry_out(host: Arc<Host>, command: Command, request: Request) -> Response {
    respond(host, command, request, false).await
}

/// The same, and ends all that was started for it.
pub(super) async fn carry_out_once(host: Arc<Host>, command: Command, request: Request) -> Response {
    respond(host, command, request, true).await
}

async fn respond(host: Arc<Host>, command: Command, request: Request, once: bool) -> Response {
    let read = |request| JsonBody::<Value, MOST_REQUEST>::from_request(request, &());
    let body = match read(request).await {
        Ok(JsonBody(body)) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let work = async move {
        let told = match outcome(&host, command, body).await {
            Ok(done) => Progress::Done(done),
            Err(problem) => Progress::Refused(problem),
        };
        if once {
            host.end().await;
        }
        told
    };
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(told(Box::pin(work)))).into_response()
}

type Work = Pin<Box<dyn Future<Output = Progress<Value>> + Send>>;

fn told(work: Work) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let lines = stream::unfold(Some(work), |work| async {
        let mut work = work?;
        match tokio::time::timeout(HEARTBEAT, &mut work).await {
            Ok(last) => Some((line(&last), None)),
            Err(_) => Some((line(&Progress::Working), Some(work))),
        }
    });
    lines.map(Ok)
}

fn line(progress: &Progress<Value>) -> Bytes {
    let mut line = serde_json::to_vec(progress).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

async fn outcome(host: &Host, command: Command, body: Value) -> Result<Value, Problem> {
    match command {
        Command::Clone => {
            let mut request: CloneRequest = parsed(body)?;
            let url = url(&request.url, request.plain_http)?;
            let credentials = request.credentials.take();
            let relay = relay(command, &url, credentials.as_ref(), request.plain_http).await?;
            request.through = Some(relay.url());
            through(host, command, &relay, &request).await
        }
        Command::Fetch | Command::Pull | Command::Push => {
            let mut request: SyncRequest = parsed(body)?;
            let url = agreed(host, command, &request).await?;
            let credentials = request.credentials.take();
            let relay = relay(command, &url, credentials.as_ref(), request.plain_http).await?;
            request.url = Some(url.as_str().to_owned());
            request.through = Some(relay.url());
            through(host, command, &relay, &request).await
        }
    }
}

/// Where the remote is. Credentials are for the repository that their owner says, not for the one that the workspace says.
async fn agreed(host: &Host, command: Command, request: &SyncRequest) -> Result<RepositoryUrl, Problem> {
    if request.credentials.is_some() && request.url.is_none() {
        return Err(problem(
            workspace_codes::GIT_URL_INVALID,
            "with credentials, send also the url of the repository that they are for",
        ));
    }
    let query = serde_json::json!({
        "path": request.path, "remote": request.remote, "push": command == Command::Push,
    });
    let remote: Remote = asked(host, routes::REMOTE, &query).await?;
    if request.url.as_ref().is_some_and(|url| *url != remote.url) {
        return Err(problem(
            workspace_codes::GIT_URL_INVALID,
            format!(
                "the remote {:?} is at another URL than the one sent: see git remote -v in the workspace",
                request.remote
            ),
        ));
    }
    url(&remote.url, request.plain_http)
}

fn url(text: &str, plain_http: bool) -> Result<RepositoryUrl, Problem> {
    RepositoryUrl::parse(text, plain_http)
        .map_err(|invalid| problem(workspace_codes::GIT_URL_INVALID, invalid.to_string()))
}

async fn relay(
    command: Command,
    url: &RepositoryUrl,
    credentials: Option<&Credentials>,
    plain_http: bool,
) -> Result<GitRelay, Problem> {
    let destination = Destination::new(url, credentials, plain_http).map_err(Refusal::into_problem)?;
    GitRelay::open(destination, command.service()).await.map_err(|error| {
        problem(codes::INTERNAL, format!("no port can be opened on the loopback interface: {error}"))
    })
}

/// Has the workspace run the command. What the way itself met is told before what git makes of it.
async fn through(
    host: &Host,
    command: Command,
    relay: &GitRelay,
    request: &impl Serialize,
) -> Result<Value, Problem> {
    asked(host, command.route(), request)
        .await
        .map_err(|problem| relay.trouble().map_or(problem, Refusal::into_problem))
}

/// Asks the workspace, and reads its answer.
async fn asked<T: DeserializeOwned>(
    host: &Host,
    route: &str,
    request: &impl Serialize,
) -> Result<T, Problem> {
    let broken =
        || problem(codes::INTERNAL, "the workspace answers something that makes no sense: try again");
    let body = serde_json::to_vec(request).map_err(|_| broken())?;
    let request = Request::post(format!("{PREFIX}{route}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|_| broken())?;
    let answer = host.pass_on(request).await?;
    let success = answer.status().is_success();
    let bytes =
        Limited::new(answer.into_body(), MOST_ANSWER).collect().await.map_err(|_| broken())?.to_bytes();
    if !success {
        return Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| broken()));
    }
    serde_json::from_slice(&bytes).map_err(|_| broken())
}

fn parsed<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body)
        // Not what is wrong with it: it may repeat a credential.
        .map_err(|_| {
            problem(workspace_codes::INVALID_REQUEST, "the body is JSON, but not what this route takes")
        })
}
