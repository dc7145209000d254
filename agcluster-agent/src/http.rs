//! The routes of the agent server.

mod auth;
mod body;
mod linger;
mod parameters;
mod refusal;
mod routes;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use agcluster_protocol::{codes, paths, workspace};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};

use crate::server::Shared;
pub(crate) use body::JsonBody;
pub(crate) use linger::linger;
pub(crate) use parameters::Parameters;
pub(crate) use refusal::Refusal;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route(paths::CONFIGURE, post(routes::configure))
        .route(paths::LIVENESS, get(routes::liveness))
        .route(paths::RESOURCES, get(routes::resources))
        .route(paths::ENVIRONMENT, get(routes::environment))
        .route(paths::ACK, post(routes::ack))
        .route(paths::STEER, post(routes::steer))
        .route(paths::RESTART_PROGRAM, post(routes::restart_program))
        .route(paths::QUERY, post(routes::query))
        .route(paths::EVENTS, get(routes::events))
        .route(paths::INTERRUPT, post(routes::interrupt))
        .route(paths::ANSWER, post(routes::answer))
        .route(paths::SETTINGS, post(routes::settings))
        .route(&format!("{}/{{*rest}}", workspace::PREFIX), any(routes::workspace))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(from_fn_with_state(shared.clone(), auth::require_token));
    Router::new()
        .route(paths::HEALTH, get(routes::health).fallback(wrong_method))
        .merge(guarded)
        .with_state(shared)
}

async fn not_found() -> Refusal {
    Refusal::new(codes::NOT_FOUND, "there is no such route: see the documentation of agcluster-protocol")
}

async fn wrong_method() -> Refusal {
    Refusal::new(codes::METHOD_NOT_ALLOWED, "this route takes another method")
}
