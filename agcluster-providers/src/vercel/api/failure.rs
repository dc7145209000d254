//! Why a call got no answer that could be used.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;

/// Why a call got no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Vercel refused.
    #[error("Vercel answered {status} {code}: {message}")]
    Refused {
        status: u16,
        /// Vercel's own word for it, empty when it gave none.
        code: String,
        /// What it said, shortened.
        message: String,
        request_id: Option<String>,
        retry_after: Option<Duration>,
    },
    /// The API could not be reached, or the connection broke.
    #[error("the API cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It did not answer in time.
    #[error("the API did not answer in time")]
    Timeout,
    /// The answer makes no sense.
    #[error("{reason}")]
    Nonsense { reason: String, request_id: Option<String> },
}

/// The most that is read of a refusal, and kept of what it says.
const LONGEST_REFUSAL: usize = 16 << 10;
const LONGEST_MESSAGE: usize = 300;

#[derive(Deserialize)]
struct Refusal {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Failure {
    /// What a refusal says.
    pub(super) async fn of(response: Response) -> Self {
        let (status, id) = (response.status().as_u16(), request_id(&response));
        let wait =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // What cannot be read is no reason to say less about the status.
        let body = super::read(response, LONGEST_REFUSAL).await.unwrap_or_default();
        let said = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error);
        let said = said.unwrap_or(Said { code: String::new(), message: String::new() });
        Self::Refused {
            status,
            code: said.code.chars().filter(|c| !c.is_control()).take(64).collect(),
            message: said.message.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect(),
            request_id: id,
            retry_after: wait.map(Duration::from_secs),
        }
    }

    pub(super) fn nonsense(reason: String) -> Self {
        Self::Nonsense { reason, request_id: None }
    }

    pub(super) fn of_request(self, id: Option<String>) -> Self {
        match self {
            Self::Nonsense { reason, .. } => Self::Nonsense { reason, request_id: id },
            other => other,
        }
    }

    /// The status of a refusal; 0 for anything else.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } => *status,
            _ => 0,
        }
    }

    /// Whether it was refused with this status and code.
    pub(crate) fn is(&self, expected: u16, word: &str) -> bool {
        matches!(self, Self::Refused { status, code, .. } if *status == expected && code == word)
    }

    /// Whether the session is on its way to standing still.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is(422, "sandbox_stopping") || self.is(422, "sandbox_snapshotting")
    }

    /// Whether the session stands still.
    pub(crate) fn is_stopped(&self) -> bool {
        self.status() == 410 && !self.is(410, "snapshot_not_found")
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Unreachable(error.without_url()) }
    }
}

/// Vercel's id of a request.
pub(super) fn request_id(response: &Response) -> Option<String> {
    let id = response.headers().get("x-vercel-id")?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 200).then(|| id.to_owned())
}
