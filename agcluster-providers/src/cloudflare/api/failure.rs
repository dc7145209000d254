//! Why a call got no answer that could be used.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde::Deserialize;

/// Why a call got no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The gateway refused.
    #[error("the gateway answered {status} {code}: {message}")]
    Refused {
        status: u16,
        code: String,
        /// What it said, shortened.
        message: String,
        retryable: bool,
        retry_after: Option<Duration>,
        request_id: Option<String>,
    },
    /// What stands before the gateway, or in its place, refused.
    #[error("something that is no gateway answered {status} (Cloudflare's error {number:?})")]
    Foreign {
        status: u16,
        /// Cloudflare's own number, such as 1027.
        number: Option<u16>,
        /// Whether it leads to the log-in of Cloudflare Access.
        login: bool,
        retry_after: Option<Duration>,
        request_id: Option<String>,
    },
    /// The gateway could not be reached, or the connection broke.
    #[error("the gateway cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It did not answer in time.
    #[error("the gateway did not answer in time")]
    Timeout,
    /// The answer makes no sense.
    #[error("{reason}")]
    Nonsense { reason: String, request_id: Option<String> },
}

/// The most that is read of a refusal, and kept of what it says.
const LONGEST_REFUSAL: usize = 64 << 10;
const LONGEST_MESSAGE: usize = 300;
const LONGEST_CODE: usize = 64;

#[derive(Deserialize)]
struct Refusal {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retryable: bool,
}

impl Failure {
    /// What a refusal says.
    pub(super) async fn of(response: Response) -> Self {
        let (status, request_id) = (response.status().as_u16(), request_id(&response));
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after = header(RETRY_AFTER).and_then(|value| value.trim().parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let login = header(LOCATION).is_some_and(|to| to.contains("cloudflareaccess.com"));
        // What cannot be read is no reason to say less about the status.
        let body = super::read(response, LONGEST_REFUSAL).await.unwrap_or_default();
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { error: Said { code, message, retryable } }) => Self::Refused {
                status,
                code: shortened(&code, LONGEST_CODE),
                message: shortened(&message, LONGEST_MESSAGE),
                retryable,
                retry_after,
                request_id,
            },
            Err(_) => {
                let number = error_number(&String::from_utf8_lossy(&body));
                Self::Foreign { status, number, login, retry_after, request_id }
            }
        }
    }

    pub(super) fn nonsense(reason: &str) -> Self {
        Self::Nonsense { reason: reason.to_owned(), request_id: None }
    }

    pub(super) fn of_request(self, id: Option<String>) -> Self {
        match self {
            Self::Nonsense { reason, .. } => Self::Nonsense { reason, request_id: id },
            other => other,
        }
    }

    /// Whether the gateway refused with this code.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == word)
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Unreachable(error.without_url()) }
    }
}

/// The id under which Cloudflare, or else the gateway, knows a request.
pub(super) fn request_id(response: &Response) -> Option<String> {
    let named = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let id = named("cf-ray").or_else(|| named("x-request-id"))?;
    (!id.is_empty() && id.len() <= 200).then_some(id)
}

fn shortened(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

/// The number on one of Cloudflare's own error pages: `error code: 1027`, or `Error 1027` as a heading.
fn error_number(page: &str) -> Option<u16> {
    let page = page.to_ascii_lowercase();
    let after = |mark: &str| {
        let rest = page.split_once(mark)?.1.trim_start();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|number| (1000..2000).contains(number))
    };
    after("error code:").or_else(|| after("error "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudflares_own_pages_have_a_number() {
        assert_eq!(error_number("error code: 1027"), Some(1027));
        assert_eq!(error_number("<title>x</title><h1>Error 1015</h1>"), Some(1015));
        for other in ["", "error", "Error 500", "there is an error: 7", "error code: many"] {
            assert_eq!(error_number(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_stranger_says_is_shortened() {
        assert_eq!(shortened("a\nb\u{1b}[31m", 9), "ab[31m");
        assert_eq!(shortened("äöü", 2), "äö");
    }
}
