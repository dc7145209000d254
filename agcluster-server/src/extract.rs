//! Axum's extractors with our problems in place of their plain-text refusals.

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::Problem;

/// A JSON body.
#[derive(Debug, FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body, and a digest of it and of the route. The digest may be kept, the body has secrets.
#[derive(Debug)]
pub(crate) struct Digested<T> {
    /// The body.
    pub(crate) body: T,
    /// SHA-256 in hex.
    pub(crate) digest: String,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Digested<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, bytes) = whole(request, state).await?;
        // No path has a line break in it.
        let digest = Sha256::new().chain_update(parts.uri.path()).chain_update(b"\n").chain_update(&bytes);
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = Request::from_parts(parts, Body::from(bytes));
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self { body, digest })
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, bytes) = whole(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let Json(body) = Json::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Self(body))
    }
}

/// The body in memory, as far as the route's limit lets it.
async fn whole<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<(axum::http::request::Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await?;
    Ok((parts, bytes))
}

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
            JsonRejection::BytesRejection(rejection) => rejection.into(),
            _ => unreadable(),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = "the body is too large: send less at once";
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        }
        unreadable()
    }
}

fn unreadable() -> Problem {
    Problem::bad_request("invalid_request", "the body could not be read: send it again")
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
