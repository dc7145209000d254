//! The numbers, for Prometheus.

use agcluster_core::measure;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Bearer;
use crate::metrics::{MetricsAccess, recorder};
use crate::openapi::problems::problems;
use crate::{AppState, Problem};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

problems!(MetricsProblems = ["metrics_off", "metrics_token_required"]);

/// The numbers of this server, for Prometheus.
///
/// Whoever reaches the server may read them, unless `METRICS_TOKEN` is set; `METRICS=false` takes the route away.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "Server",
    security((), ("key" = [])),
    responses(
        (status = 200, description = "In Prometheus' text format", content_type = "text/plain", body = String),
        MetricsProblems,
    ),
)]
async fn get(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    match &state.metrics {
        MetricsAccess::Off => return Err(off()),
        MetricsAccess::Everybody => {}
        MetricsAccess::With(token) => {
            let sent = Bearer::from_headers(&headers).map(|Bearer(sent)| Sha256::digest(sent.expose()));
            // Digests, so that the time that comparing takes tells nothing.
            if sent != Some(Sha256::digest(token.expose())) {
                let detail = "send the METRICS_TOKEN of this server as \"Authorization: Bearer TOKEN\"";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "metrics_token_required", detail));
            }
        }
    }
    let recorder = recorder().ok_or_else(off)?;
    measure::look(&state.sessions);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], recorder.render()).into_response())
}

fn off() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "metrics_off",
        "this server shows no numbers: start it with METRICS=true",
    )
}
