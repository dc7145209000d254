//! Problems as Anthropic's clients read them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Problem;
use crate::openapi::problems::Shape;

/// What an error looks like.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is rendered")]
pub(crate) struct AnthropicError {
    /// Always `error`.
    r#type: String,
    error: AnthropicErrorBody,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is rendered")]
pub(super) struct AnthropicErrorBody {
    /// What kind of error it is.
    r#type: String,
    /// One sentence saying what is wrong and what to do.
    message: String,
    /// A stable name to branch on.
    code: String,
}

/// The same for the description of routes.
pub(super) const SHAPE: Shape =
    Shape { media_type: "application/json", schema: "AnthropicError", within: Some("error") };

/// The body of an error.
pub(crate) fn body(problem: &Problem) -> Value {
    json!({
        "type": "error",
        "error": { "type": kind(problem.status), "message": problem.detail, "code": problem.code },
    })
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_anthropic_s_kind_and_our_code() {
        let error = body(&Problem::new(StatusCode::NOT_FOUND, "model_not_found", "no such model"));
        let expected = json!({
            "type": "error",
            "error": { "type": "not_found_error", "message": "no such model", "code": "model_not_found" },
        });
        assert_eq!(error, expected);
    }
}
