//! Problems as clients of the earlier agent server read them.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::compat::reshape;
use crate::openapi::problems::Shape;
use crate::{FieldProblem, Problem};

/// What an error looks like.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is rendered")]
pub(crate) struct AgentServerError {
    /// What is wrong, in a sentence or in short.
    error: String,
    /// A stable name to branch on.
    code: String,
    /// A sentence, or what is wrong field by field.
    details: Details,
    /// When.
    timestamp: String,
}

#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = AgentServerErrorDetails)]
#[allow(dead_code, reason = "it describes what is rendered")]
enum Details {
    Sentence(String),
    Fields(Vec<FieldProblem>),
}

/// The same for the description of routes.
pub(super) const SHAPE: Shape =
    Shape { media_type: "application/json", schema: "AgentServerError", within: None };

/// Gives a problem the earlier shape. A body that is not what a route takes was a 400 there.
pub(super) async fn shape(response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    let (body, is_unfit) = (body(problem), problem.code == "invalid_request");
    let mut response = reshape::with_body(response, &body);
    if is_unfit {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

fn body(problem: &Problem) -> Value {
    let errors = &problem.errors;
    let details = if errors.is_empty() { json!(problem.detail) } else { json!(errors) };
    let error = match problem.code {
        "invalid_request" | "invalid_json" => "Validation failed",
        _ => &problem.detail,
    };
    json!({ "error": error, "code": problem.code, "details": details, "timestamp": Timestamp::now() })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_an_error_with_details_and_a_wrong_body_is_a_400() {
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "prompt is missing");
        let response = shape(problem.into_response()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body: Value =
            serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(
            (&body["error"], &body["details"]),
            (&json!("Validation failed"), &json!("prompt is missing"))
        );
        assert_eq!(body["code"], "invalid_request");
        assert!(body["timestamp"].is_string());
    }
}
