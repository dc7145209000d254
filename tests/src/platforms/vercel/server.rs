//! The listener: every request is recorded, checked and then done.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::check::{self, Body, Call};
use super::fault::What;
use super::reply::{Answer, Refusal, Reply, broken};
use super::world::World;
use super::{Options, TEAM, TOKEN};

/// The largest request that is read.
const LARGEST: usize = 128 << 20;
/// What all paths begin with.
const BASE: &str = "/api/";

/// A request that came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path behind the base.
    pub path: String,
    /// Its query, decoded.
    pub query: BTreeMap<String, Vec<String>>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, if that is JSON.
    pub json: Value,
}

/// A request that is worked on.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) query: BTreeMap<String, Vec<String>>,
    headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) json: Value,
}

impl Request {
    pub(super) fn one(&self, key: &str) -> Option<&str> {
        self.query.get(key)?.first().map(String::as_str)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A listener with a world behind it.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    world: Arc<World>,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(super) async fn start(options: Options) -> anyhow::Result<Self> {
        let world = World::new(options).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&world));
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            let serving = axum::serve(listener, router).into_future();
            tokio::select! {
                served = serving => served,
                () = stopped => Ok(()),
            }
        });
        Ok(Self { address, world, stop, serving })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await??;
        self.world.engine.remove_all().await
    }
}

async fn serve(State(world): State<Arc<World>>, request: axum::extract::Request) -> Response {
    // In a task of its own: what has begun is finished, also when the caller goes away.
    match tokio::spawn(async move { answer(&world, request).await }).await {
        Ok(response) => response,
        Err(_) => Refusal::new(500, "internal_server_error", "the fake broke").into(),
    }
}

async fn answer(world: &Arc<World>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap_or_default();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in query {
        keys.entry(key.into_owned()).or_default().push(value.into_owned());
    }
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path().strip_prefix(BASE).unwrap_or_default().to_owned();
    let request = Request { method: parts.method, query: keys, headers: parts.headers, body, json };
    world.record(Recorded {
        method: request.method.clone(),
        path: path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        json: request.json.clone(),
    });
    let line = format!("{} {path}", request.method);
    let fault = world.fault(&request.method, &path);
    let mut response: Response = match fault {
        Some(What::Refused { status, code, message, retry_after }) => {
            let refusal = Refusal { retry_after, ..Refusal::new(status, code, message) };
            refusal.into()
        }
        _ => match done(world, &path, &request, &line).await {
            Ok(_) if matches!(fault, Some(What::AnswerLost)) => return broken(),
            Ok(reply) => reply.into(),
            Err(refusal) => refusal.into(),
        },
    };
    let id = format!("iad1::{}", world.id("req"));
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("x-vercel-id", id);
    }
    response
}

async fn done(world: &Arc<World>, path: &str, request: &Request, line: &str) -> Answer {
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Err(Refusal::new(401, "unauthorized", "The request requires authentication"));
    }
    let segments: Vec<_> = path.split('/').collect();
    let Some(call) = check::call(&request.method, &segments) else {
        world.violation(format!("{line}: there is no such call"));
        return Err(Refusal::not_found("Route"));
    };
    let faults = faults(world, &call, request);
    if let Some(first) = faults.first().cloned() {
        faults.into_iter().for_each(|fault| world.violation(format!("{line}: {fault}")));
        return Err(Refusal::bad(first));
    }
    if request.one("teamId") != Some(TEAM) {
        return Err(Refusal::new(403, "forbidden", "Not authorized"));
    }
    if request.one("projectId").is_some_and(|project| project != super::PROJECT) {
        return Err(Refusal::not_found("Project"));
    }
    let reply = dispatch(world, &segments, request).await?;
    if let Reply::Json(value) = &reply
        && !call.answer.is_empty()
    {
        for fault in world.schemas.faults(call.answer, value) {
            world.violation(format!("{line}: the fake's own answer: {fault}"));
        }
    }
    Ok(reply)
}

/// What is wrong with a request.
fn faults(world: &World, call: &Call, request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    match request.query.get("teamId").map(Vec::len) {
        Some(1) => {}
        _ => faults.push("teamId is not in the query exactly once".to_owned()),
    }
    for key in request.query.keys().filter(|key| *key != "teamId" && !call.query.contains(&key.as_str())) {
        faults.push(format!("{key} in the query is not known"));
    }
    for key in call.needed.iter().filter(|key| !request.query.contains_key(**key)) {
        faults.push(format!("{key} is not in the query"));
    }
    let kind = if matches!(call.body, Body::Gzip) { "application/gzip" } else { "application/json" };
    if request.header("content-type") != Some(kind) {
        faults.push(format!("the content type is {:?} and not {kind}", request.header("content-type")));
    }
    if request.header("user-agent").is_none_or(str::is_empty) {
        faults.push("there is no user agent".to_owned());
    }
    match &call.body {
        Body::None if !request.body.is_empty() => faults.push("there is a body".to_owned()),
        Body::Optional(_) if request.body.is_empty() => {}
        Body::Json(schema) | Body::Optional(schema) => {
            faults.extend(super::schema::faults(schema, &request.json));
            let policy = match schema["properties"].get("networkPolicy") {
                Some(_) => request.json.get("networkPolicy"),
                // The only call whose body is a policy has no fields of its own.
                None => schema.get("properties").is_none().then_some(&request.json),
            };
            if let Some(policy) = policy {
                faults.extend(world.schemas.faults("NetworkPolicyRequestValidator", policy));
            }
        }
        Body::None | Body::Gzip => {}
    }
    faults
}

async fn dispatch(world: &Arc<World>, path: &[&str], request: &Request) -> Answer {
    let yes = |key: &str| request.one(key) == Some("true");
    match (request.method.as_str(), path) {
        ("POST", [_, "sandboxes"]) => world.create(&request.json).await,
        ("GET", [_, "sandboxes"]) => world.list(&request.query),
        (_, [_, "sandboxes", "sessions", session, rest @ ..]) => {
            world.of_session(session, rest, request).await
        }
        ("GET", [_, "sandboxes", "snapshots"]) => world.list_snapshots(request.one("name")),
        ("GET", [_, "sandboxes", "snapshots", id]) => world.snapshot(id, false),
        ("DELETE", [_, "sandboxes", "snapshots", id]) => world.snapshot(id, true),
        ("GET", [_, "sandboxes", name]) => world.get(name, yes("resume")).await,
        ("PATCH", [_, "sandboxes", name]) => world.update(name, &request.json),
        ("DELETE", [_, "sandboxes", name]) => world.delete(name, yes("deleteOrphanSnapshots")).await,
        ("POST", [_, "sandboxes", name, "fork"]) => world.fork(name, &request.json).await,
        _ => Err(Refusal::not_found("Route")),
    }
}
