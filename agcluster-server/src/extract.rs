//! Axum's extractors with our problems in place of their plain-text refusals.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::StatusCode;

use crate::Problem;

/// A JSON body.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Json<T>(pub(crate) T);

/// Parameters in the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

/// Parameters behind the question mark.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::JsonDataError(error) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", sentence(&error.body_text()))
            }
            JsonRejection::JsonSyntaxError(error) => {
                Self::bad_request("invalid_json", sentence(&error.body_text()))
            }
            JsonRejection::MissingJsonContentType(_) => {
                let detail = "send a JSON body with \"Content-Type: application/json\"";
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
            }
            other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "the body is too large: send less at once",
            ),
            _ => Self::bad_request("invalid_request", "the body could not be read: send it again"),
        }
    }
}

/// What serde says of the user's own text, without the framework's preamble.
fn sentence(text: &str) -> String {
    let text =
        text.strip_prefix("Failed to deserialize the JSON body into the target type: ").unwrap_or(text);
    let text = text.strip_prefix("Failed to parse the request body as JSON: ").unwrap_or(text);
    format!("the body is not what this route takes: {}", without_value(text))
}

/// The message without the text that was found in place of what was expected: it may be a credential in the wrong field.
fn without_value(text: &str) -> String {
    match (text.find("string \""), text.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}a string{}", &text[..start], &text[end + 1..]),
        _ => text.to_owned(),
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::bad_request("invalid_path", "the path is not valid UTF-8: check how it is escaped")
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Self::bad_request("invalid_query", format!("the query string is not what this route takes: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_in_the_wrong_field_is_not_repeated() {
        let text = "mcp_env.github: invalid type: string \"to\"ken\", expected a map at line 1 column 42";
        assert_eq!(
            without_value(text),
            "mcp_env.github: invalid type: a string, expected a map at line 1 column 42"
        );
        assert_eq!(without_value("missing field `x`"), "missing field `x`");
    }
}
