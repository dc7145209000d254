//! The API's description as a page, at `/docs`. Everything of it comes from this server, and it asks nobody else.

use std::io::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::AppState;

const PAGE: &str = include_str!("docs_page/index.html");
const START: &str = include_str!("docs_page/start.js");
/// Nothing from elsewhere, and nothing to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
     font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page's routes. They are no part of the API, so they are not described.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/docs", get(|| async { asset("text/html; charset=utf-8", PAGE) }))
        .route("/docs/start.js", get(|| async { asset("text/javascript; charset=utf-8", START) }))
        .route("/docs/scalar.js", get(scalar))
}

fn asset(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, body).into_response()
}

/// The page's program: some megabytes, so it is sent compressed to whoever takes that.
async fn scalar(headers: HeaderMap) -> Response {
    let Some(plain) = scalar_api_reference::get_asset("scalar.js") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = "text/javascript; charset=utf-8";
    let compressed = if takes_gzip(&headers) { compressed().await } else { None };
    let Some(compressed) = compressed else { return asset(kind, plain) };
    let encoding: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    (encoding, asset(kind, compressed)).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

/// Compressed once, when it is first asked for.
async fn compressed() -> Option<Bytes> {
    static COMPRESSED: LazyLock<Option<Bytes>> = LazyLock::new(|| {
        let plain = scalar_api_reference::get_asset("scalar.js")?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&plain).ok()?;
        encoder.finish().ok().map(Bytes::from)
    });
    tokio::task::spawn_blocking(|| COMPRESSED.clone()).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_nothing_outside_of_this_server() {
        for text in [PAGE, START] {
            assert!(!text.contains("//"), "{text}");
        }
        assert!(!POLICY.contains("http") && !POLICY.contains('*'), "{POLICY}");
    }

    #[tokio::test]
    async fn the_program_is_in_the_crate_and_is_sent_compressed() {
        let accepts = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("br, gzip"))]);
        let answer = scalar(accepts).await;
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        let plain = scalar(HeaderMap::new()).await;
        assert!(plain.headers().get(header::CONTENT_ENCODING).is_none());
        let length = |response: Response| axum::body::to_bytes(response.into_body(), usize::MAX);
        assert!(length(answer).await.unwrap().len() * 2 < length(plain).await.unwrap().len());
    }
}
