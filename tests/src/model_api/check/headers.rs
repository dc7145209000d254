//! Headers of a request, and its key.

use axum::http::{HeaderMap, header};
use serde_json::Value;

/// Whether a request may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model_api) enum KeyCheck {
    Accepted,
    /// A key that the server does not know.
    Wrong,
    /// No key at all: not a wrong setting but a wrong client.
    Missing,
}

/// The key a request carries, as `x-api-key` or as bearer token.
pub(in crate::model_api) fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-api-key")
        .or_else(|| text("authorization").and_then(|value| value.strip_prefix("Bearer ")))
        .filter(|key| !key.is_empty())
}

/// Compares the key with those accepted; an empty list accepts every key.
pub(in crate::model_api) fn check_key(headers: &HeaderMap, accepted: &[String]) -> KeyCheck {
    match key_of(headers) {
        None => KeyCheck::Missing,
        Some(key) if accepted.is_empty() || accepted.iter().any(|known| known == key) => KeyCheck::Accepted,
        Some(_) => KeyCheck::Wrong,
    }
}

/// Features of a body that the vendor takes only with their beta header: a proxy that loses the header is found out.
const BETAS: &[(&str, &str)] = &[("context_management", "context-management-")];

/// Betas that the body needs and the headers do not name.
pub(in crate::model_api) fn check_betas(headers: &HeaderMap, body: &Value) -> Vec<String> {
    let values = headers.get_all("anthropic-beta").iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let missing = BETAS
        .iter()
        .filter(|(field, beta)| !body[*field].is_null() && !named.iter().any(|name| name.starts_with(beta)));
    missing.map(|(field, beta)| format!("{field}: needs a header anthropic-beta with {beta}…")).collect()
}

/// Everything that is wrong with the headers, the key and the betas apart.
pub(in crate::model_api) fn check_headers(headers: &HeaderMap) -> Vec<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut wrong = Vec::new();
    if text("anthropic-version") != Some("2023-06-01") {
        wrong.push("anthropic-version: the header `2023-06-01` is required".to_owned());
    }
    let json = text(header::CONTENT_TYPE.as_str())
        .is_some_and(|value| value.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
    if !json {
        wrong.push("content-type: `application/json` is required".to_owned());
    }
    wrong
}
