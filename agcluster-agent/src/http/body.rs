//! Reading a JSON body.

use agcluster_protocol::codes;
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// The largest body: a prompt with a few large pictures.
const MOST_BYTES: usize = 48 * 1024 * 1024;

/// The same for a configuration, which may have the whole record of a conversation.
pub(super) const MOST_CONFIGURATION: usize = 128 * 1024 * 1024;

/// A JSON body of at most so many bytes, whatever content type it claims to have.
pub(crate) struct JsonBody<T, const MOST: usize = MOST_BYTES>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned, const MOST: usize> FromRequest<S> for JsonBody<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let bytes = Limited::new(request.into_body(), MOST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Refusal::new(codes::TOO_LARGE, format!("a body has at most {MOST} bytes"))
            } else {
                Refusal::new(codes::INVALID_REQUEST, "the body broke off: send it again")
            }
        })?;
        parse(&bytes.to_bytes()).map(Self)
    }
}

/// Tells where a body is wrong, but repeats nothing of it: it may hold secrets.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "is JSON, but not what this route takes",
            _ => "is not JSON",
        };
        let detail = format!("the body {what} (line {}, column {})", error.line(), error.column());
        Refusal::new(codes::INVALID_REQUEST, detail)
    })
}
