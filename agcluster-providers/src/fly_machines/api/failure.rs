//! Why a call got no answer that could be used.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use thiserror::Error;

/// So much of a refusal is read.
pub(super) const LONGEST_REFUSAL: usize = 16 << 10;
/// So much of its text is kept.
const LONGEST_TEXT: usize = 500;

/// Why a call got no answer that could be used.
#[derive(Debug, Error)]
pub(in super::super) enum Failure {
    /// The platform refused.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// No connection was made: nothing was asked.
    #[error("the platform cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The connection broke: what was asked may have been done.
    #[error("the connection to the platform broke")]
    Broken(#[source] reqwest::Error),
    /// No answer came in time: what was asked may have been done.
    #[error("the platform did not answer in time")]
    Timeout,
    /// The answer makes no sense; what was asked was done.
    #[error("{what}")]
    Nonsense {
        /// What is wrong with it.
        what: String,
        /// The platform's id of the request.
        request_id: Option<String>,
    },
    /// It was not asked, because its turn would have come only after so long.
    #[error("too many calls wait for their turn")]
    TooMany(Duration),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the platform answered {status}: {text}")]
pub(in super::super) struct Refusal {
    /// The HTTP status.
    pub(in super::super) status: u16,
    /// What it says, in small letters and cut short. For telling refusals apart and for logs, never for users.
    pub(in super::super) text: String,
    /// Its own name for it, such as `insufficient_capacity`.
    pub(in super::super) code: Option<String>,
    /// Its id of the request.
    pub(in super::super) request_id: Option<String>,
    /// When to come back.
    pub(in super::super) retry_after: Option<Duration>,
}

/// The body of a refusal, where it is JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<serde_json::Value>,
    message: Option<String>,
    status: Option<String>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        body: &[u8],
        request_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> Box<Self> {
        let read: Body = serde_json::from_slice(body).unwrap_or_default();
        let said = match read.error {
            Some(serde_json::Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => read.message,
        };
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let text = said.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect::<String>();
        let code = read.status.filter(|code| code != "unknown" && is_word(code));
        Box::new(Self { status, text: text.to_lowercase(), code, request_id, retry_after })
    }

    /// Whether its text has this in it.
    pub(in super::super) fn says(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    /// Whether its own name for it is this one.
    pub(in super::super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// The machine that has the name already, where that is what it is about.
    pub(in super::super) fn name_taken_by(&self) -> Option<Option<&str>> {
        let taken = matches!(self.status, 400 | 409 | 412 | 422)
            && (self.says("unique machine name") || self.says("already_exists"));
        taken.then(|| {
            let (_, rest) = self.text.split_once("machine id ")?;
            let id = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            (!id.is_empty()).then_some(id)
        })
    }
}

impl Failure {
    pub(super) fn broken(error: reqwest::Error) -> Self {
        let is_connect = error.is_connect();
        let error = error.without_url();
        if is_connect { Self::Unreachable(error) } else { Self::Broken(error) }
    }

    /// The refusal, if it is one.
    pub(in super::super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The status of a refusal, 0 for anything else.
    pub(in super::super) fn status(&self) -> u16 {
        self.refusal().map_or(0, |refusal| refusal.status)
    }

    /// Whether there was no such thing.
    pub(in super::super) fn is_not_found(&self) -> bool {
        self.status() == 404
    }

    /// Whether what was asked may have been done all the same.
    pub(in super::super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status == 408 || refusal.status >= 500,
            Self::Broken(_) | Self::Timeout | Self::Nonsense { .. } => true,
            Self::Unreachable(_) | Self::TooMany(_) => false,
        }
    }
}

/// Whether a text from outside is a plain word that may be shown.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=60).contains(&text.len()) && text.bytes().all(plain)
}

/// The platform's id of a request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("fly-request-id")?.to_str().ok()?;
    is_word(id).then(|| id.to_owned())
}

/// When to come back, in whole seconds as the platform says it; at most an hour.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Box<Refusal> {
        Refusal::new(status, body.as_bytes(), None, None)
    }

    #[test]
    fn every_shape_of_a_refusal_is_read() {
        for body in [
            r#"{"error":"No Room"}"#,
            r#"{"message":"No Room"}"#,
            "No Room",
            r#"{"error":"No\u0000 Room","details":{}}"#,
        ] {
            assert_eq!(refusal(500, body).text, "no room", "{body}");
        }
        assert!(
            refusal(422, r#"{"error":"x","status":"insufficient_capacity"}"#).is("insufficient_capacity")
        );
        assert_eq!(refusal(422, r#"{"error":"x","status":"unknown"}"#).code, None);
        assert_eq!(refusal(502, &"é".repeat(9000)).text.chars().count(), LONGEST_TEXT);
    }

    #[test]
    fn a_taken_name_says_by_whom() {
        let body = r#"{"error":"already_exists: unique machine name violation, machine ID 9185741b7e5483 already exists with name \"agc-s-g1\""}"#;
        assert_eq!(refusal(409, body).name_taken_by(), Some(Some("9185741b7e5483")));
        assert_eq!(refusal(422, r#"{"error":"unique machine name violation"}"#).name_taken_by(), Some(None));
        assert_eq!(refusal(409, r#"{"error":"lease currently held"}"#).name_taken_by(), None);
    }
}
