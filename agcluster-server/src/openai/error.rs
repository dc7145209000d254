//! Problems as OpenAI's clients read them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Problem;
use crate::openapi::problems::Shape;

/// What an error looks like.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is rendered")]
pub(crate) struct OpenAiError {
    error: OpenAiErrorBody,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what is rendered")]
struct OpenAiErrorBody {
    /// One sentence saying what is wrong and what to do.
    message: String,
    /// What kind of error it is.
    r#type: String,
    /// The parameter that is wrong.
    param: Option<String>,
    /// A stable name to branch on.
    code: String,
}

/// The same for the description of routes.
pub(super) const SHAPE: Shape =
    Shape { media_type: "application/json", schema: "OpenAiError", within: Some("error") };

/// The body of an error.
pub(crate) fn body(problem: &Problem) -> Value {
    json!({
        "error": {
            "message": problem.detail,
            "type": kind(problem.status),
            "param": problem.errors.first().map(|error| &error.field),
            "code": problem.code,
        }
    })
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::invalid;

    #[test]
    fn an_error_names_parameter_and_code() {
        let error = body(&invalid("n", "unsupported_parameter", "one answer only"));
        let expected = json!({
            "message": "one answer only", "type": "invalid_request_error", "param": "n",
            "code": "unsupported_parameter",
        });
        assert_eq!(error["error"], expected);
        let failed = body(&Problem::new(StatusCode::BAD_GATEWAY, "turn_failed", "it broke"));
        assert_eq!(
            (&failed["error"]["type"], &failed["error"]["param"]),
            (&json!("server_error"), &json!(null))
        );
    }
}
