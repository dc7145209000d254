//! Answers held against the API's description.

use std::sync::OnceLock;

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Holds an answer against what the committed description says that the operation can answer: its status, and the code of a problem. A path that is not
/// described is let pass: it is served by nobody.
///
/// # Errors
/// When the answer is not described.
pub(super) fn hold(method: &Method, path: &str, status: StatusCode, body: &Value) -> anyhow::Result<()> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/openapi.json");
    let read = || std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let document = DOCUMENT.get_or_init(|| read().unwrap_or_default());
    let paths = document["paths"].as_object().context("the description has no paths")?;
    let best =
        paths.keys().filter(|template| is_of(template, path)).min_by_key(|template| variables(template));
    let Some(operation) = best.and_then(|template| paths[template].get(method.as_str().to_lowercase()))
    else {
        return Ok(());
    };
    let name = operation["operationId"].as_str().unwrap_or_default();
    let response = &operation["responses"][status.as_str()];
    ensure!(response.is_object(), "{name} was answered {status}, which is not described: {body}");
    if let (Some(code), Some(codes)) = (body["code"].as_str(), codes(response)) {
        let is_described = codes.iter().any(|known| known == code);
        ensure!(is_described, "{name} was answered {status} {code}, which is not described: {codes:?}");
    }
    Ok(())
}

fn is_of(template: &str, path: &str) -> bool {
    let (mut left, mut right) = (template.split('/'), path.split('/'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(variable), Some(value)) if variable.starts_with('{') => {
                if variable.starts_with("{*") {
                    return true;
                }
                if value.is_empty() {
                    return false;
                }
            }
            (Some(left), Some(right)) if left == right => {}
            _ => return false,
        }
    }
}

fn variables(template: &str) -> usize {
    template.matches('{').count()
}

fn codes(response: &Value) -> Option<&Vec<Value>> {
    let schema = &response["content"]["application/problem+json"]["schema"];
    schema["allOf"].as_array()?.iter().find_map(|part| part["properties"]["code"]["enum"].as_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_described_is_told() {
        let hold = |path: &str, status: u16, code: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            hold(&Method::GET, path, status, &json!({ "code": code }))
        };
        hold("/api/agents/sessions/x", 404, "session_not_found").unwrap();
        hold("/no/such/path", 404, "route_not_found").unwrap();
        assert!(hold("/api/agents/sessions/x", 404, "made_up").unwrap_err().to_string().contains("made_up"));
        assert!(hold("/api/agents/sessions/x", 418, "").unwrap_err().to_string().contains("get_session"));
    }
}
