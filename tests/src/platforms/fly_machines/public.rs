//! The second listener: the platform's public hosts. The first part of a path stands for the host of an app.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use futures::{Stream, StreamExt, stream};

use super::Shared;
use super::answer::respond;

const FORCE: &str = "fly-force-instance-id";
const PREFER: &str = "fly-prefer-instance-id";
const UNAVAILABLE: HeaderName = HeaderName::from_static("fly-preferred-instance-unavailable");
/// How long a silent connection lives that says nothing else.
const IDLE_SECONDS: u64 = 60;

/// Where a request goes.
struct Route {
    address: SocketAddr,
    idle: Duration,
    /// The preferred machine, where another one was taken.
    unavailable: Option<String>,
}

/// Passes a request on to a machine.
pub(super) async fn pass_on(State(fake): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let (app, rest) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let route = match route(&fake, app, &head.headers) {
        Ok(route) => route,
        Err(status) => return respond(status, "01PROXY", "text/plain", Body::from("no machine answers")),
    };
    let mut headers = head.headers.clone();
    headers.remove("host");
    if let Some(id) = route.unavailable.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(UNAVAILABLE, id);
    }
    let url = format!("http://{}/{rest}", route.address);
    let upstream = fake.client.request(head.method, url).headers(headers);
    let upstream = upstream.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    match upstream.send().await {
        Err(_) => respond(502, "01PROXY", "text/plain", Body::from("the machine does not answer")),
        Ok(answer) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = answer.status();
            let (headers, pieces) = (answer.headers().clone(), answer.bytes_stream());
            for (name, value) in headers.iter().filter(|(name, _)| *name != "transfer-encoding") {
                response.headers_mut().append(name, value.clone());
            }
            let pieces = pieces.map(|piece| piece.map_err(std::io::Error::other));
            *response.body_mut() = Body::from_stream(cut_when_silent(fake, pieces.boxed(), route.idle));
            response
        }
    }
}

fn route(fake: &Shared, app: &str, headers: &HeaderMap) -> Result<Route, u16> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut state = fake.world.lock();
    if state.apps.get(app).is_none_or(|app| app.addresses.is_empty()) {
        return Err(502);
    }
    let runs: Vec<String> = state
        .of_app(app)
        .filter(|machine| {
            machine.state == "started" && machine.address.is_some() && service(&machine.config).is_some()
        })
        .map(|machine| machine.id.clone())
        .collect();
    let named = |id: &str| runs.iter().find(|known| known.as_str() == id).cloned();
    let mut unavailable = None;
    let id = match (header(FORCE), header(PREFER)) {
        (Some(id), _) => named(id).ok_or(502_u16)?,
        (None, Some(id)) => match named(id) {
            Some(id) => id,
            None => {
                unavailable = Some(id.to_owned());
                runs.first().cloned().ok_or(502_u16)?
            }
        },
        (None, None) => {
            let number = state.number() as usize;
            runs.get(number % runs.len().max(1)).cloned().ok_or(502_u16)?
        }
    };
    let machine = state.machines.get_mut(&id).ok_or(502_u16)?;
    // For a moment after the start, the proxy does not know the machine yet.
    if machine.unknown_to_proxy > 0 {
        machine.unknown_to_proxy -= 1;
        return Err(503);
    }
    let (port, idle) = service(&machine.config).ok_or(502_u16)?;
    let address = fake.world.backing.at(machine.address.ok_or(502_u16)?, port);
    Ok(Route { address, idle: Duration::from_secs(idle), unavailable })
}

/// The port of a machine's service at 443, and how long it may be silent.
fn service(config: &serde_json::Value) -> Option<(u16, u64)> {
    config["services"].as_array()?.iter().find_map(|service| {
        let port = service["ports"].as_array()?.iter().find(|port| port["port"] == 443)?;
        Some((
            service["internal_port"].as_u64()?.try_into().ok()?,
            port["http_options"]["idle_timeout"].as_u64().unwrap_or(IDLE_SECONDS),
        ))
    })
}

/// The same, broken off after a silence or when the test says so.
fn cut_when_silent(
    fake: Arc<Shared>,
    pieces: stream::BoxStream<'static, std::io::Result<Bytes>>,
    idle: Duration,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    let cut = fake.cuts.subscribe();
    stream::unfold(Some((pieces, cut, fake)), move |open| async move {
        let (mut pieces, mut cut, fake) = open?;
        tokio::select! {
            piece = pieces.next() => match piece? {
                Ok(piece) => Some((Ok(piece), Some((pieces, cut, fake)))),
                Err(error) => Some((Err(error), None)),
            },
            _ = cut.changed() => Some((Err(std::io::Error::other("cut")), None)),
            () = tokio::time::sleep(idle) => {
                fake.silent.send_modify(|cut| *cut += 1);
                Some((Err(std::io::Error::other("idle")), None))
            }
        }
    })
}
