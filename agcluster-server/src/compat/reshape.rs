//! Problems in the shape of the API that a request was made to: whatever refused it, its client can read why.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use crate::{Problem, anthropic, openai};

/// Gives problems another body where the path is another API's.
pub(crate) async fn problems(request: Request, next: Next) -> Response {
    let render = shape_of(request.uri().path());
    let response = next.run(request).await;
    match (render, response.extensions().get::<Problem>()) {
        (Some(render), Some(problem)) => {
            let body = render(problem).to_string();
            let (mut parts, _) = response.into_parts();
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, body.into())
        }
        _ => response,
    }
}

fn shape_of(path: &str) -> Option<fn(&Problem) -> Value> {
    match path.strip_prefix("/v1/") {
        Some(rest) if rest == "messages" || rest.starts_with("messages/") => Some(anthropic::error),
        Some(_) => Some(openai::error),
        None => (path == "/chat/completions").then_some(openai::error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_the_shape_of_its_api() {
        let kind = |path: &str| {
            let problem = Problem::bad_request("x", "y");
            shape_of(path).map(|render| render(&problem)["type"] == "error")
        };
        assert_eq!(kind("/v1/messages"), Some(true));
        assert_eq!(kind("/v1/messages/count_tokens"), Some(true));
        assert_eq!(kind("/v1/messagesx"), Some(false));
        assert_eq!(kind("/v1/embeddings"), Some(false));
        assert_eq!(kind("/chat/completions"), Some(false));
        assert_eq!(kind("/api/agents/launch"), None);
    }
}
