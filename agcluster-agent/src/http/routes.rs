//! What each route does.

use std::sync::Arc;

use agcluster_protocol::resources::{EnvironmentNames, ResourceUse};
use agcluster_protocol::{
    Accepted, Ack, Answer, Configure, Configured, Health, Interrupt, Interrupted, Liveness, Query,
    RestartProgram, Settings, Steer, codes,
};
use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::{JsonBody, MOST_CONFIGURATION, MaybeJsonBody};
use super::refusal::Refusal;
use super::stream;
use crate::server::Shared;
use crate::workspace::Host;

/// The header with which a client of server-sent events says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

type Server = State<Arc<Shared>>;

pub(super) async fn health(State(shared): Server) -> Json<Health> {
    Json(shared.health())
}

pub(super) async fn configure(
    State(shared): Server,
    JsonBody(configure): JsonBody<Configure, MOST_CONFIGURATION>,
) -> Result<Json<Configured>, Refusal> {
    Ok(Json(shared.configure(configure).await?))
}

pub(super) async fn liveness(State(shared): Server) -> Json<Liveness> {
    Json(shared.liveness())
}

pub(super) async fn resources(State(shared): Server) -> Result<Json<ResourceUse>, Refusal> {
    Ok(Json(shared.resources().await?))
}

pub(super) async fn environment(
    State(shared): Server,
    RawQuery(parameters): RawQuery,
) -> Result<Json<EnvironmentNames>, Refusal> {
    // Names have no characters that would be escaped.
    let names = parameters.as_deref().and_then(|text| text.strip_prefix("names=")).unwrap_or_default();
    Ok(Json(shared.environment(names.split(',').filter(|name| !name.is_empty()))?))
}

pub(super) async fn ack(State(shared): Server, JsonBody(ack): JsonBody<Ack>) -> Result<StatusCode, Refusal> {
    shared.acknowledge(ack)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn steer(
    State(shared): Server,
    JsonBody(steer): JsonBody<Steer>,
) -> Result<(StatusCode, Json<Accepted>), Refusal> {
    let turn = steer.turn;
    let after = shared.session()?.steer(steer).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { turn, after })))
}

pub(super) async fn restart_program(
    State(shared): Server,
    JsonBody(restart): JsonBody<RestartProgram>,
) -> Result<Json<Configured>, Refusal> {
    Ok(Json(shared.restart_program(restart).await?))
}

pub(super) async fn query(
    State(shared): Server,
    headers: HeaderMap,
    JsonBody(query): JsonBody<Query>,
) -> Result<Response, Refusal> {
    let turn = query.turn;
    let begun = shared.session()?.query(query).await?;
    if wants_stream(&headers) {
        return Ok(stream::respond(shared.follow(begun.after, Some(begun.mark))?, shared.heartbeat()));
    }
    let accepted = Accepted { turn, after: begun.after };
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

pub(super) async fn events(
    State(shared): Server,
    headers: HeaderMap,
    RawQuery(parameters): RawQuery,
) -> Result<Response, Refusal> {
    let after = cursor(&headers, parameters.as_deref().unwrap_or_default())?;
    Ok(stream::respond(shared.follow(after, None)?, shared.heartbeat()))
}

pub(super) async fn interrupt(
    State(shared): Server,
    MaybeJsonBody(Interrupt { turn }): MaybeJsonBody<Interrupt>,
) -> Result<(StatusCode, Json<Interrupted>), Refusal> {
    let turn = shared.session()?.interrupt(turn).await?;
    Ok((StatusCode::ACCEPTED, Json(Interrupted { turn })))
}

pub(super) async fn answer(
    State(shared): Server,
    JsonBody(answer): JsonBody<Answer>,
) -> Result<StatusCode, Refusal> {
    shared.session()?.answer(answer).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn settings(
    State(shared): Server,
    JsonBody(settings): JsonBody<Settings>,
) -> Result<StatusCode, Refusal> {
    shared.session()?.settings(settings).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Passes a request on to the workspace.
pub(super) async fn workspace(State(shared): Server, request: Request) -> Result<Response, Refusal> {
    let host = match shared.workspace() {
        Err(_) if Host::serves_before(&request) && shared.session().is_err() => {
            return Ok(shared.workspace_before()?.handle_once(request).await);
        }
        host => host?,
    };
    Ok(host.handle(request).await?)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// The cursor of a request: `Last-Event-ID` before `after`, since a client that reconnects sends both; 0 without either.
fn cursor(headers: &HeaderMap, parameters: &str) -> Result<u64, Refusal> {
    let from_header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    let from_parameter = parameters.split('&').find_map(|parameter| parameter.strip_prefix("after="));
    let Some(text) = from_header.or(from_parameter) else { return Ok(0) };
    text.trim().parse().map_err(|_| {
        Refusal::new(
            codes::INVALID_REQUEST,
            "the cursor (`after` or `Last-Event-ID`) is a whole number, 0 or more",
        )
    })
}
