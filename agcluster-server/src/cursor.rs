//! Where a stream goes on: behind the last frame that a client has.

use agcluster_core::protocol::workspace::Place;
use agcluster_core::provider::LogPlace;
use agcluster_core::session::Session;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::Problem;
use crate::extract::Query;
use crate::sse::FrameId;

/// What stands in the ids of a stream's frames.
pub(crate) trait Id: Sized {
    /// How it is written.
    const PATTERN: &'static str;

    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

impl Id for Cursor {
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?$";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Id for Place {
    const PATTERN: &'static str = "^[0-9]+-[0-9]+$";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Id for LogPlace {
    const PATTERN: &'static str = r"^[0-9]+-[0-9]+(\.[0-9]+)?$";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// The last frame that a client has, as `Last-Event-ID` or `after` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last event that it has whole.
    pub(crate) after: u64,
    /// How many frames it has of the event behind that.
    pub(crate) parts: u8,
}

impl Cursor {
    /// Reads the id of a frame: `7`, or `7.1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        match text.split_once('.') {
            None => Some(Self { after: number(text)?, parts: 0 }),
            Some((seq, part)) => {
                let parts = u8::try_from(number(part)?).ok().filter(|part| *part > 0)?;
                Some(Self { after: number(seq)?.checked_sub(1)?, parts })
            }
        }
    }

    /// Whether a client that is there has this frame.
    pub(crate) fn has(self, id: FrameId) -> bool {
        match id {
            FrameId::Event(seq) => seq <= self.after,
            FrameId::Part(seq, part) => {
                seq <= self.after || (self.after.checked_add(1) == Some(seq) && part <= self.parts)
            }
            FrameId::At(_) | FrameId::Log(_) => false,
        }
    }
}

/// `Last-Event-ID`.
pub(crate) fn from_headers<T: Id>(headers: &HeaderMap) -> Result<Option<T>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let id = value.to_str().ok().and_then(T::read);
    id.map(Some).ok_or_else(|| malformed("Last-Event-ID"))
}

/// The cursor of a request that goes on with a turn of this session.
///
/// # Errors
/// When it is beyond the session's newest event.
pub(crate) async fn of_session(cursor: Option<Cursor>, session: &Session) -> Result<Option<Cursor>, Problem> {
    if let Some(cursor) = cursor {
        session.read(cursor.after, 0).await?;
    }
    Ok(cursor)
}

/// Only digits: a sign is no part of an id.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn malformed(name: &str) -> Problem {
    Problem::bad_request("invalid_cursor", format!("{name} must be the id of an event of this stream"))
}

/// Where a request for a stream goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resume<T = Cursor>(pub(crate) Option<T>);

impl Resume {
    /// The cursor of a stream whose frames are whole events.
    pub(crate) fn after(self) -> Result<Option<u64>, Problem> {
        match self.0 {
            Some(Cursor { parts: 1.., .. }) => Err(malformed("the cursor")),
            other => Ok(other.map(|cursor| cursor.after)),
        }
    }
}

#[derive(Debug, Deserialize)]
struct After {
    after: Option<String>,
}

/// Either may say it.
impl<T: Id> IntoParams for Resume<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name: &str, place, description: &str| {
            let id =
                ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some(T::PATTERN));
            ParameterBuilder::new()
                .name(name)
                .parameter_in(place)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(id))
                .build()
        };
        let after = "The id of the last frame that the client has; what follows it is sent";
        let last = "The same, as browsers send it; it wins over `after`";
        vec![
            parameter("after", ParameterIn::Query, after),
            parameter("Last-Event-ID", ParameterIn::Header, last),
        ]
    }
}

impl<S: Send + Sync, T: Id> FromRequestParts<S> for Resume<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A client that reconnects by itself sends the header; the URL still has the cursor it began with.
        if let Some(id) = from_headers(&parts.headers)? {
            return Ok(Self(Some(id)));
        }
        let Query(After { after }) = Query::from_request_parts(parts, state).await?;
        match after {
            None => Ok(Self(None)),
            Some(text) => T::read(&text).map(|id| Self(Some(id))).ok_or_else(|| malformed("after")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_id_of_a_frame() {
        assert_eq!(Cursor::parse("0"), Some(Cursor { after: 0, parts: 0 }));
        assert_eq!(Cursor::parse(" 17 "), Some(Cursor { after: 17, parts: 0 }));
        assert_eq!(Cursor::parse("17.2"), Some(Cursor { after: 16, parts: 2 }));
        assert_eq!(Cursor::parse(&u64::MAX.to_string()).map(|cursor| cursor.after), Some(u64::MAX));
        for bad in [
            "",
            "x",
            "-1",
            "+1",
            "1.",
            ".1",
            "1.0",
            "0.1",
            "1.1.1",
            "1.256",
            "1.+1",
            "1e3",
            "99999999999999999999",
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }
}
