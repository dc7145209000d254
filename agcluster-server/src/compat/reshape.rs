//! Problems in the shape of the API that a request was made to: whatever refused it, its client can read why.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::app::MAX_BODY;
use crate::{Problem, anthropic, openai};

/// Gives problems another body where the path is another API's.
pub(crate) async fn problems(request: Request, next: Next) -> Response {
    let shape = shape_of(request.uri().path(), request.headers());
    let Some(render) = shape else { return next.run(request).await };
    // Read first, whatever comes of it: a connection that is closed over what was not read takes the answer with it, and a
    // client sees a broken connection in place of what it did wrong.
    let (parts, body) = request.into_parts();
    let response = match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(_) => {
            let detail = "the body is too large, or broke off: send less at once";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response()
        }
    };
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let body = render(problem);
    with_body(response, &body)
}

/// The same response with another body.
pub(crate) fn with_body(response: Response, body: &Value) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.to_string().into())
}

fn shape_of(path: &str, headers: &HeaderMap) -> Option<fn(&Problem) -> Value> {
    let is_below = |rest: &str, folder: &str| {
        rest.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match path.strip_prefix("/v1/") {
        Some(rest) if is_below(rest, "messages") => Some(anthropic::error),
        // Both APIs have these.
        Some(rest) if is_below(rest, "models") && anthropic::is_meant(headers) => Some(anthropic::error),
        Some(_) => Some(openai::error),
        None => (path == "/chat/completions").then_some(openai::error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_the_shape_of_its_api() {
        let with = |path: &str, headers: &HeaderMap| {
            let problem = Problem::bad_request("x", "y");
            shape_of(path, headers).map(|render| render(&problem)["type"] == "error")
        };
        let kind = |path: &str| with(path, &HeaderMap::new());
        assert_eq!(kind("/v1/messages"), Some(true));
        assert_eq!(kind("/v1/messages/count_tokens"), Some(true));
        assert_eq!(kind("/v1/messagesx"), Some(false));
        let version = ("anthropic-version".parse().unwrap(), HeaderValue::from_static("2023-06-01"));
        let anthropic = HeaderMap::from_iter([version]);
        assert_eq!((kind("/v1/models"), with("/v1/models", &anthropic)), (Some(false), Some(true)));
        assert_eq!(with("/v1/models/a/b", &anthropic), Some(true));
        assert_eq!(kind("/v1/embeddings"), Some(false));
        assert_eq!(kind("/chat/completions"), Some(false));
        assert_eq!(kind("/api/agents/launch"), None);
    }
}
