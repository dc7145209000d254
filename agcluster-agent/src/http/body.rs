//! Reading a JSON body.

use agcluster_protocol::codes;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
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
        parse(&read(request, MOST).await?).map(Self)
    }
}

/// The same where the body may be left out.
pub(super) struct MaybeJsonBody<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let bytes = read(request, MOST_BYTES).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

async fn read(request: Request, most: usize) -> Result<Bytes, Refusal> {
    let body = Limited::new(request.into_body(), most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::new(codes::TOO_LARGE, format!("a body has at most {most} bytes"))
        } else {
            Refusal::new(codes::INVALID_REQUEST, "the body broke off: send it again")
        }
    })?;
    Ok(body.to_bytes())
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
